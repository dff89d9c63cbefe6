"""Channels and threads as an option of commands."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands


class Place(app_commands.Transformer):
    """A channel or a thread in which people write, whether or not the bot has it in memory."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Discord's picker of channels."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """What the picker offers."""
        kinds = discord.ChannelType
        return [kinds.text, kinds.news, kinds.voice, kinds.forum, kinds.public_thread, kinds.private_thread]

    async def transform(self, interaction: discord.Interaction, value: Any, /) -> discord.abc.Snowflake:
        """What was picked; its id is all that is needed."""
        picked: discord.abc.Snowflake = value
        return picked


Channel = app_commands.Transform[discord.abc.Snowflake, Place]
