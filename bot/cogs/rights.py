"""Who may do what, asked again whenever it is done: Discord's own rights, and those that a server gave in /settings."""

from __future__ import annotations

import discord

from bot.ideation.rules import Adders
from bot.ideation.studio import Studio
from knowledge.errors import KindlingError


class NotAllowed(KindlingError):
    """The person lacks the right; the message says whom to ask."""


def require_managing(interaction: discord.Interaction) -> int:
    """The server's id, if the person may manage it. Raises `NotAllowed`."""
    if interaction.guild_id is None:
        raise NotAllowed("That is for servers: here there is nothing to set.")
    if not interaction.permissions.manage_guild:
        raise NotAllowed("Settings are for those who may manage the server: ask one of them.")
    return interaction.guild_id


async def require_adding(studio: Studio, interaction: discord.Interaction) -> None:
    """Pass if the person may add to, and take from, the library here. Raises `NotAllowed`.

    In direct messages the library is one's own. In a server it is for those who may manage messages, and for whom
    /settings library names.
    """
    guild_id, may = interaction.guild_id, interaction.permissions
    if guild_id is None or may.manage_messages or may.manage_guild:
        return
    adders = (await studio.rules.server(guild_id)).adders
    if adders is Adders.EVERYONE:
        return
    if adders is Adders.MODERATORS:
        raise NotAllowed(
            "This server's library is for those who may manage messages here. Someone who may manage the server can "
            "open it to others with /settings library."
        )
    if all(role.id != adders for role in getattr(interaction.user, "roles", ())):
        role = interaction.guild.get_role(adders) if interaction.guild else None
        name = f"the role {role.name}" if role else "a role that is no longer there"
        raise NotAllowed(f"This server's library is for {name}: ask someone who may manage the server.")
