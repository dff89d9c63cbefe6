"""Two servers, direct messages and private boards: nothing crosses from one to another, however it is asked for."""

from __future__ import annotations

from pathlib import Path

import discord
import pytest
from discord import ui

from bot.ui.layout import sealed
from tests.bot.discord.conftest import Stage
from tests.discord_server import Person, eventually

BRIEF = "a lighthouse for nobody"
WORDS = "engraving copper lighthouse lenses at midnight"
SECRET = f"Zanzibarquux has been {WORDS}, for nobody, in the studio that is called Home."
NEAR = "near: close to the brief, can be done"


@pytest.fixture
async def away(stage: Stage) -> Person:
    """A member of another server."""
    elsewhere = stage.server.guild("Elsewhere")
    return stage.server.member("carol", elsewhere)


def channel_of(person: Person):  # type: ignore[no-untyped-def]
    """The first channel of the only server that somebody is in."""
    (guild,) = (guild for guild in person._server.guilds.values() if person.user.id in guild.members)
    return next(iter(guild.channels.values()))


async def secret_kept_at_home(stage: Stage, tmp_path: Path) -> None:
    """The home server's own library gets a text that nobody else may ever see."""
    note = tmp_path / "secret.txt"
    note.write_text(f"{SECRET}\n")
    await stage.services.studio.ingest(f"guild:{stage.home.id}", [note])


async def test_sparks_of_one_server_are_never_anothers(stage: Stage, away: Person, tmp_path: Path) -> None:
    await secret_kept_at_home(stage, tmp_path)
    at_home = await stage.alice.slash(stage.general, "inspire", topic=WORDS, distance=NEAR)
    assert "Zanzibarquux" in (await at_home.finished()).text
    for channel, person in ((channel_of(away), away), (away.dm, away), (stage.alice.dm, stage.alice)):
        asked = await person.slash(channel, "inspire", topic=WORDS, distance=NEAR)
        assert "Zanzibarquux" not in (await asked.finished()).text
        board = await person.slash(channel, "brainstorm", brief=WORDS, distance=NEAR)
        await eventually(lambda board=board: "Machine-made" in board.text)
    assert not any("Zanzibarquux" in turn.text for prompt in stage.model.asked for turn in prompt)


async def test_a_private_board_draws_on_its_server_and_stays_in_its_own_space(stage: Stage, tmp_path: Path) -> None:
    await secret_kept_at_home(stage, tmp_path)
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=WORDS, private=True, distance=NEAR)
    await eventually(lambda: "Machine-made" in answer.text)
    assert any("Zanzibarquux" in prompt[-1].text for prompt in stage.model.asked), "the server's library sparks it"
    assert not await stage.services.studio.ideas.of(f"guild:{stage.home.id}")


async def test_buttons_of_one_server_do_nothing_in_another(stage: Stage, away: Person) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=2)
    await eventually(lambda: "Machine-made" in answer.text)
    channel = stage.bot.get_channel(channel_of(away).id)
    assert isinstance(channel, discord.TextChannel)
    for foreign in answer.response.buttons:
        sent = await channel.send(view=sealed(ui.ActionRow(ui.Button(label="there", custom_id=foreign.custom_id))))
        press = await away.clicks(channel_of(away).messages[sent.id], "there")
        if press.modal is not None:
            press = await away.submits(press, {"Make it": "darker"})
        await eventually(lambda press=press: "somebody else's private board" in press.text)
        assert all(message.ephemeral for message in press.messages), foreign.label
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert len(entries) == 2 and not any(entry.votes_for or entry.kept_by for entry in entries)
    assert not any("lighthouse" in message.text for message in away.reads(channel_of(away)))


async def test_novelty_looks_at_the_space_alone(stage: Stage, away: Person) -> None:
    """The other server gets ideas for the same brief as if this one had never asked."""
    for person, channel in ((stage.alice, stage.general), (away, channel_of(away))):
        answer = await person.slash(channel, "brainstorm", brief=BRIEF, count=3)
        await eventually(lambda answer=answer: "Machine-made" in answer.text)
        assert answer.text.count("### ") == 3
    assert len(await stage.services.studio.ideas.of(f"guild:{channel_of(away).guild.id}")) == 3
