"""Ideas picked by title in slash commands: what is offered as somebody types, and what was meant in the end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands

from bot.cogs.sight import seen
from bot.cogs.spaces import Where, place_asked
from bot.ideation.errors import UnknownIdea
from bot.ideation.journal import Entry
from bot.ideation.studio import Studio
from bot.ui.marks import cut
from knowledge.errors import BadInput, KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

MOST_CHOICES = 25
PATIENCE = 2.0  # seconds: Discord waits three for what is offered
_ID = re.compile(r"[0-9a-f]{10}")
_OWN = "own:"


@dataclass(frozen=True, slots=True)
class Pick:
    """What somebody picked or typed: a title or an id, and whether it is one of their own, seen by nobody else here."""

    words: str
    private: bool

    @classmethod
    def of(cls, interaction: discord.Interaction, typed: str) -> Pick:
        """What was sent for an option. In direct messages everything is one's own, and nothing needs hiding."""
        private = typed.startswith(_OWN) and interaction.guild_id is not None
        return cls(typed.removeprefix(_OWN).strip(), private)


async def titles(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The ideas whose title contains what was typed so far: this space's, newest first, then one's own in a server."""
    client = cast("Kindling", interaction.client)
    choices: list[app_commands.Choice[str]] = []
    try:
        async with asyncio.timeout(PATIENCE):
            studio = await client.studio()
            here, own = place_asked(interaction), place_asked(interaction, private=True)
            for asked in (here,) if here.space == own.space else (here, own):
                prefix, mark = (_OWN, "only you: ") if asked.space != here.space else ("", "")
                where = await seen(studio, interaction, asked)
                for one in await studio.ideas.titles(where.space, typed, MOST_CHOICES - len(choices), where.filters):
                    label = cut(f"{mark}{one.title} · {one.brief}", 100)
                    choices.append(app_commands.Choice(name=label, value=f"{prefix}{one.id}"))
    except (TimeoutError, KindlingError):
        return choices
    return choices


async def picked(studio: Studio, interaction: discord.Interaction, pick: Pick) -> tuple[Where, Entry]:
    """The idea that was meant, and where it lives. Raises `UnknownIdea`, or `BadInput` when it could be several."""
    where = await seen(studio, interaction, place_asked(interaction, pick.private))
    if _ID.fullmatch(pick.words):
        for entry in await studio.ideas.entries(where.space, [pick.words], where.filters):
            return where, entry
    found = await studio.ideas.titles(where.space, pick.words, 2, where.filters) if pick.words else []
    if len(found) > 1:
        raise BadInput("Several ideas are called something like that: pick one from the list that opens as you type.")
    for entry in await studio.ideas.entries(where.space, [one.id for one in found], where.filters):
        return where, entry
    raise UnknownIdea("No idea here is called that: pick one from the list that opens as you type.")
