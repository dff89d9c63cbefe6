"""A button that works after a restart of the bot, since all that it needs stands in its custom id.

For buttons that stand alone; those of boards, of which there are many, go through `Press` in board.py.
"""

from __future__ import annotations

import re
from typing import Any, Self

import discord
from discord import ui

from bot.cogs.refusal import refuse

NO_PATTERN = re.compile(r"(?!)")


class LastingButton(ui.DynamicItem[ui.Button[Any]], template=NO_PATTERN):
    """Its subclass gives a pattern of custom ids, whose named groups are the constructor's arguments, as text."""

    def __init__(self, custom_id: str, label: str, style: discord.ButtonStyle) -> None:
        super().__init__(ui.Button(label=label, style=style, custom_id=custom_id))

    @classmethod
    async def from_custom_id(cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str]) -> Self:
        """Called by discord.py when a custom id fits the pattern."""
        return cls(**match.groupdict())  # type: ignore[arg-type]  # the constructor is the subclass's

    async def callback(self, interaction: discord.Interaction) -> None:
        """Called by discord.py, which would swallow an error here: so it is answered here."""
        try:
            await self.pressed(interaction)
        except Exception as error:
            await refuse(interaction, error)

    async def pressed(self, interaction: discord.Interaction) -> None:
        """What a press does. What it raises is told to the person."""
        raise NotImplementedError
