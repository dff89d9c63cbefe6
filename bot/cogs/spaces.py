"""Which space an interaction belongs to, and who is asking: the only place that turns Discord's ids into the studio's.

A server is the space `guild:<id>`. A person's direct messages, and their private boards in any server, are the space
`user:<id>`; private boards may draw sparks from the server's library too. Nothing crosses spaces.
"""

from __future__ import annotations

from dataclasses import dataclass

import discord

from bot.ideation.rules import ChannelRules
from bot.ideation.studio import Studio
from knowledge.types import Filters

NO_FILTERS = Filters()
SERVERS = "guild:"  # how the spaces of servers begin


@dataclass(frozen=True, slots=True)
class Where:
    """Where ideas live (`space`), what further spaces may spark them, and whether only the asker sees the answer.

    `filters` leave out what whoever reads the answer may not see; `sight.seen` gives a place with them.
    """

    space: str
    draw_on: tuple[str, ...] = ()
    private: bool = False
    filters: Filters = NO_FILTERS


def person_of(user: discord.abc.Snowflake) -> str:
    """The person, as votes, keeps and turns name them; it is also the name of their own space."""
    return f"user:{user.id}"


def space_of(guild_id: int | None, user: discord.abc.Snowflake) -> str:
    """The space of a message or an interaction: its server's, or in direct messages the person's own."""
    return f"{SERVERS}{guild_id}" if guild_id else person_of(user)


def place_asked(interaction: discord.Interaction, private: bool = False) -> Where:
    """Where a new session is to live."""
    here = space_of(interaction.guild_id, interaction.user)
    own = person_of(interaction.user)
    if private and here != own:
        return Where(own, (here,), True)
    return Where(here, (), private)


async def rules_here(studio: Studio, interaction: discord.Interaction) -> ChannelRules:
    """The house rules of the channel that somebody asks in; a thread has its parent's."""
    parent = getattr(interaction.channel, "parent_id", None)
    return await studio.rules.for_channel(interaction.guild_id, interaction.channel_id or 0, parent)
