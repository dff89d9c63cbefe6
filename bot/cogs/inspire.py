"""/inspire: sparks alone, straight from the library. No model is asked, so it answers when all else waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.brainstorm import DISTANCES
from bot.cogs.live import NOBODY
from bot.cogs.sight import seen
from bot.cogs.spaces import place_asked, rules_here
from bot.ui.cards import sparks_page
from knowledge.types import Distance

if TYPE_CHECKING:
    from bot.client import Kindling


class Inspire(commands.Cog):
    """Sparks without a model."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(
        topic="What the sparks should touch (without: anything at all)",
        distance="How far they may lie from the topic",
    )
    @app_commands.choices(distance=DISTANCES)
    async def inspire(
        self,
        interaction: discord.Interaction,
        topic: app_commands.Range[str, 1, 300] | None = None,
        distance: str | None = None,
    ) -> None:
        """A handful of sparks from the library, at once and without a model."""
        await interaction.response.defer(thinking=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction))
        rules = await rules_here(studio, interaction)
        chosen = Distance(distance) if distance else rules.distance or self.bot.settings.distance
        hits = await studio.inspire(where.space, topic or "", distance=chosen, filters=where.filters)
        await interaction.edit_original_response(view=sparks_page(topic or "", hits), allowed_mentions=NOBODY)


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Inspire(bot))
