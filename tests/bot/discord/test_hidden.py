"""Channels that not everybody sees: what is kept of them is shown to those who see them, whatever door one tries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.bot.discord.conftest import Stage
from tests.bot.discord.test_capture import held, holds, switch
from tests.discord_server import Person, eventually
from tests.discord_server.entities import Channel
from tests.discord_server.message import Message

WORDS = "engraving copper lighthouse lenses at midnight"
SECRET = f"Zanzibarquux has been {WORDS}, for nobody."
NEAR = "near: close to the brief, can be done"


class Cellar:
    """A channel that alice and the boss see, with a secret in it, and bob who sees neither."""

    def __init__(self, stage: Stage) -> None:
        server, home = stage.server, stage.home
        self.stage = stage
        self.inner = server.role("inner", home)
        server.give_role(home.members[stage.alice.user.id], self.inner)
        self.channel = server.channel("cellar", home)
        server.overwrite(self.channel, home.everyone, deny=["view_channel"])
        server.overwrite(self.channel, self.inner, allow=["view_channel"])
        server.overwrite(self.channel, server.bot, allow=["view_channel"])
        self.boss = server.member("boss", home, permissions=["manage_guild"])
        server.give_role(home.members[self.boss.user.id], self.inner)
        self.secret: Message

    async def furnish(self) -> None:
        await switch(self.stage, self.boss, self.channel)
        self.secret = await self.stage.alice.says(self.channel, SECRET)
        await kept(self.stage, SECRET)


async def kept(stage: Stage, text: str) -> None:
    for _ in range(1000):
        if text in (await held(stage)).values():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{text!r} was not kept")


@pytest.fixture
async def cellar(stage: Stage) -> Cellar:
    cellar = Cellar(stage)
    await cellar.furnish()
    return cellar


async def told(person: Person, channel: Channel, command: str, **options: Any) -> str:
    """All that a command shows, its files included."""
    asked = await person.slash(channel, command, **options)
    await asked.finished()
    if command == "brainstorm":
        await eventually(lambda: "Machine-made" in asked.text)
    files = [file.upload.data.decode() for message in asked.messages for file in message.attachments]
    return "\n".join([asked.text, *files])


async def ideas_of_the_secret(stage: Stage, cellar: Cellar) -> list[Any]:
    """Ideas that were made in the cellar from what is kept of it."""
    text = await told(stage.alice, cellar.channel, "brainstorm", brief=WORDS, distance=NEAR, count=2)
    assert "Zanzibarquux" in text
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    secret = [one for one in entries if any("Zanzibarquux" in hit.snippet.text for hit in one.idea.sparks)]
    open_titles = {one.idea.title for one in entries if one not in secret}
    return [one for one in secret if one.idea.title not in open_titles]


async def test_snippets_are_found_where_their_channel_is_seen_and_nowhere_else(stage: Stage, cellar: Cellar) -> None:
    alice, bob, general = stage.alice, stage.bob, stage.general
    for command, options in (
        ("library search", {"words": WORDS}),
        ("inspire", {"topic": WORDS, "distance": NEAR}),
        ("brainstorm", {"brief": WORDS, "distance": NEAR}),
        ("library list", {}),
    ):
        shown = "cellar" if command == "library list" else "Zanzibarquux"
        assert shown in await told(alice, cellar.channel, command, **options), command
        for person in (alice, bob):
            assert shown not in await told(person, general, command, **options), command
    stage.model.asked.clear()
    board = await bob.slash(general, "brainstorm", brief=WORDS, distance=NEAR, count=2)
    await eventually(lambda: "Machine-made" in board.text)
    for verb in ("More", "Wilder"):
        pressed = await bob.clicks(board.response, verb)
        await eventually(lambda pressed=pressed: "Machine-made" in pressed.text)
    asked = await (await bob.clicks(board.response, "Swap sparks")).finished()
    select = asked.selects[0]
    swapped = await bob.picks(asked, select.custom_id, select.options[0][1])
    await eventually(lambda: "Machine-made" in swapped.text)
    borrowed = await bob.uses_menu("Brainstorm from this", await alice.says(general, WORDS))
    await eventually(lambda: "Machine-made" in borrowed.text)
    await bob.says(general, f"{stage.server.bot.mention} what of {WORDS}?")
    await bob.sees(general, lambda message: message.reply_to is not None)
    assert "Zanzibarquux" not in await told(bob, general, "brainstorm", brief=WORDS, distance=NEAR, private=True)
    assert not any("Zanzibarquux" in turn.text for prompt in stage.model.asked for turn in prompt)
    assert "Zanzibarquux" in await told(alice, general, "brainstorm", brief=WORDS, distance=NEAR, private=True)
    await alice.says(cellar.channel, f"{stage.server.bot.mention} what of {WORDS}?")
    await alice.sees(cellar.channel, lambda message: message.reply_to is not None)
    assert any("Zanzibarquux" in turn.text for prompt in stage.model.asked[-1:] for turn in prompt)
    thread = await alice.starts_thread(cellar.channel, "below")
    assert "Zanzibarquux" in await told(alice, thread, "library search", words=WORDS)


async def test_ideas_from_a_hidden_channel_are_hidden_too(stage: Stage, cellar: Cellar) -> None:
    entries = await ideas_of_the_secret(stage, cellar)
    (title,) = [one.idea.title for one in entries[:1]]
    idea = entries[0].idea.id
    alice, bob, general = stage.alice, stage.bob, stage.general

    async def hidden_in_general() -> None:
        for person in (alice, bob):
            for command, options in (
                ("ideas list", {}),
                ("ideas search", {"words": title[:20]}),
                ("ideas show", {"idea": idea}),
                ("why", {"idea": idea}),
                ("expand", {"idea": idea}),
                ("twist", {"idea": idea, "how": "darker"}),
                ("remix", {"a": idea, "b": title}),
            ):
                assert title not in (await told(person, general, command, **options)).replace(f"“{title[:20]}”", "")
            offered = (await person.autocomplete(general, "why", "idea", title[:10])).choices
            assert not any(title in one.name for one in offered)
        assert title not in await told(bob, general, "ideas export", format="json")

    await hidden_in_general()
    assert title in await told(alice, general, "ideas export", format="json"), "alone, she may see what she sees"
    assert title in await told(alice, cellar.channel, "ideas list")
    await alice.slash(cellar.channel, "twist", idea=idea, how="darker")
    await alice.sees(cellar.channel, "Twist, darker")
    await alice.deletes(cellar.secret)
    await holds(stage, {})
    await hidden_in_general()
    assert "Zanzibarquux" not in await told(alice, cellar.channel, "library search", words=WORDS)
    assert "Zanzibarquux" not in await told(alice, cellar.channel, "why", idea=idea)


async def test_who_loses_sight_of_a_channel_loses_what_came_from_it(stage: Stage, cellar: Cellar) -> None:
    alice, general = stage.alice, stage.general
    board = await told(alice, general, "brainstorm", brief=WORDS, distance=NEAR, private=True, count=1)
    assert "Zanzibarquux" in board
    (entry,) = await stage.services.studio.ideas.of(f"user:{alice.user.id}")
    title = entry.idea.title
    assert title in await told(alice, general, "ideas list", mine=True)
    assert title in await told(alice, alice.dm, "ideas list"), "asked of Discord, from outside the server too"
    stage.server.take_role(stage.home.members[alice.user.id], cellar.inner)
    for channel, options in ((general, {"mine": True}), (alice.dm, {})):
        assert title not in await told(alice, channel, "ideas list", **options)
        assert title not in await told(alice, channel, "ideas export", format="json", **options)
    assert title not in await told(alice, alice.dm, "privacy export")
    assert "Zanzibarquux" not in await told(alice, general, "brainstorm", brief=WORDS, distance=NEAR, private=True)
    offered = (await alice.autocomplete(alice.dm, "why", "idea", title[:10])).choices
    assert entry.idea.id not in [one.value for one in offered]


async def test_an_age_restricted_channel_stays_out_of_others(stage: Stage) -> None:
    boss = stage.server.member("boss", stage.home, permissions=["manage_guild"])
    adult = stage.server.channel("adult", stage.home, nsfw=True)
    assert "age-restricted" in await switch(stage, boss, adult)
    await stage.alice.says(adult, SECRET)
    await kept(stage, SECRET)
    assert "Zanzibarquux" in await told(stage.alice, adult, "library search", words=WORDS)
    assert "Zanzibarquux" not in await told(stage.alice, stage.general, "library search", words=WORDS)
    private = await told(stage.alice, stage.general, "brainstorm", brief=WORDS, distance=NEAR, private=True)
    assert "Zanzibarquux" not in private


async def test_a_channel_open_to_all_is_found_everywhere_in_its_server_and_not_in_another(stage: Stage) -> None:
    boss = stage.server.member("boss", stage.home, permissions=["manage_guild"])
    finds = stage.server.channel("finds", stage.home)
    await switch(stage, boss, finds)
    await stage.alice.says(finds, SECRET)
    await kept(stage, SECRET)
    assert "Zanzibarquux" in await told(stage.bob, stage.general, "library search", words=WORDS)
    away = stage.server.guild("Away")
    carol = stage.server.member("carol", away)
    there = next(iter(away.channels.values()))
    for channel in (there, carol.dm):
        assert "Zanzibarquux" not in await told(carol, channel, "library search", words=WORDS)
        assert "Zanzibarquux" not in await told(carol, channel, "inspire", topic=WORDS, distance=NEAR)


async def test_a_message_saved_in_a_hidden_channel_is_as_hidden(stage: Stage, cellar: Cellar) -> None:
    mod = stage.server.member("mod", stage.home, permissions=["manage_messages"])
    stage.server.give_role(stage.home.members[mod.user.id], cellar.inner)
    side = stage.server.channel("side cellar", stage.home)
    stage.server.overwrite(side, stage.home.everyone, deny=["view_channel"])
    stage.server.overwrite(side, cellar.inner, allow=["view_channel"])
    stage.server.overwrite(side, stage.server.bot, allow=["view_channel"])
    said = await stage.alice.says(side, "A xylophonic whelk is tuned by the tide.")
    await mod.uses_menu("Save as inspiration", said)
    await mod.sees(side, "Saved: ")
    assert "whelk" in await told(mod, side, "library search", words="xylophonic tide")
    assert "whelk" not in await told(mod, stage.general, "library search", words="xylophonic tide")
    assert "whelk" not in await told(mod, stage.general, "library list")
    offered = (await mod.autocomplete(stage.general, "library remove", "source", "whelk")).choices
    assert len(offered) == 1, "for mod alone, who sees the channel"
    plain = stage.server.member("other mod", stage.home, permissions=["manage_messages"])
    assert not (await plain.autocomplete(stage.general, "library remove", "source", "whelk")).choices


async def test_duels_are_between_ideas_that_both_may_be_seen(stage: Stage, cellar: Cellar) -> None:
    await ideas_of_the_secret(stage, cellar)
    assert "Which would you rather have" in await told(stage.alice, stage.general, "ideas duel")
    with_bob = await told(stage.bob, stage.general, "ideas duel")
    assert "no two ideas left" in with_bob and "Zanzibarquux" not in with_bob


async def test_trends_leave_out_what_their_readers_may_not_see(
    stage: Stage, cellar: Cellar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the picture, the list and the names offered are drawn from; that trends keep to it is tested with them."""
    trends, left_out = stage.services.studio.trends, []
    outlook = trends.outlook

    async def watched(space: str, **options: Any) -> Any:
        left_out.append(options["filters"].without_sources)
        return await outlook(space, **options)

    monkeypatch.setattr(trends, "outlook", watched)
    await told(stage.bob, stage.general, "trends", library="own")
    await stage.bob.autocomplete(stage.general, "brainstorm", "trend", "mos", brief="a tea shop")
    await told(stage.alice, cellar.channel, "trends", library="own")
    assert left_out[0] and left_out[0] == left_out[1] and not left_out[2]
