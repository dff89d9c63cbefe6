"""/ideas duel and /settings learning, clicked through on the local Discord."""

from __future__ import annotations

from tests.bot.discord.conftest import Stage
from tests.discord_server import Message, eventually

BRIEF = "a tea shop by the harbour"


async def duel(stage: Stage) -> Message:
    await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3)
    await stage.alice.sees(stage.general, "Machine-made")
    return await (await stage.alice.slash(stage.general, "ideas duel")).finished()


async def test_pair_follows_pair_until_all_are_decided_even_over_a_restart(stage: Stage) -> None:
    page = await duel(stage)
    assert page.ephemeral and BRIEF in page.text and page.text.count("###") == 2
    await stage.restart()
    for told in ("a duel decided", "2 duels decided"):
        await stage.alice.clicks(page, "The second")
        await eventually(lambda told=told: told in page.text)
    await stage.alice.clicks(page, "The first")
    await eventually(lambda: "no two ideas left" in page.text)
    assert len(await stage.services.studio.choices.of_person(f"user:{stage.alice.user.id}")) == 3


async def test_another_two_decides_nothing(stage: Stage) -> None:
    page = await duel(stage)
    before = page.text
    await stage.alice.clicks(page, "Another two")
    await eventually(lambda: page.text != before)
    assert not await stage.services.studio.choices.of_person(f"user:{stage.alice.user.id}")


async def test_what_was_learned_is_told_switched_off_and_forgotten(stage: Stage) -> None:
    boss = stage.server.member("boss", stage.home, permissions=["manage_guild"])

    async def learning(what: str | None = None) -> str:
        options = {"what": what} if what else {}
        return (await (await boss.slash(stage.general, "settings learning", **options)).finished()).text

    assert "Nothing yet" in await learning()
    page = await duel(stage)
    await stage.alice.clicks(page, "The first")
    await eventually(lambda: "a duel decided" in page.text)
    told = await learning()
    assert "From one choice by one person" in told and "It counts." in told
    assert "none of it counts" in await learning("off")
    assert "It counts." in await learning("on")
    assert "Nothing yet" in await learning("forget")
