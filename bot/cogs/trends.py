"""/trends: what rises and fades in the library here, as a picture and a list. No model is asked."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, cast

import discord
from discord import app_commands
from discord.ext import commands

from bot import chart
from bot.cogs.live import NOBODY
from bot.cogs.picking import MOST_CHOICES, PATIENCE
from bot.cogs.sight import seen
from bot.cogs.spaces import place_asked
from bot.ideation.trending import Scope
from bot.ui.marks import cut
from bot.ui.trends import LONGEST_DESCRIPTION, PICTURE, trends_page
from knowledge.dates import read_window
from knowledge.errors import KindlingError
from knowledge.trends import WINDOWS

if TYPE_CHECKING:
    from bot.client import Kindling

SCOPES = [
    app_commands.Choice(name="all: what was added here, and the starter collection", value=str(Scope.ALL)),
    app_commands.Choice(name="own: only what was added here", value=str(Scope.OWN)),
]


async def trend_names(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """The trends here whose name contains what was typed so far, surest first."""
    client = cast("Kindling", interaction.client)
    try:
        async with asyncio.timeout(PATIENCE):
            studio = await client.studio()
            where = await seen(studio, interaction, place_asked(interaction))
            found = await studio.trends.names(where.space, typed, filters=where.filters)
    except (TimeoutError, KindlingError):  # it is found all the same, for the next key that is typed
        return []
    return [
        app_commands.Choice(
            name=cut(f"{one.name} · {one.direction} {chart.change(one)}", 100), value=cut(one.name, 100)
        )
        for one in found[:MOST_CHOICES]
    ]


async def windows(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    """What was typed, where it is a window, and some that are."""
    names = [window.name for window in WINDOWS if typed.casefold().strip() in window.name]
    try:
        names = list(dict.fromkeys([read_window(typed).name, *names]))
    except KindlingError:
        names = names or [window.name for window in WINDOWS]
    return [app_commands.Choice(name=name, value=name) for name in names[:MOST_CHOICES]]


class Trends(commands.Cog):
    """What rises and fades."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(
        topic="What the trends should be about (without: everything)",
        window="How long lately is: 30 days, 6 months, 2 years (without: as the dates allow)",
        library="Whose snippets are looked at (without: all)",
    )
    @app_commands.choices(library=SCOPES)
    @app_commands.autocomplete(window=windows)
    async def trends(
        self,
        interaction: discord.Interaction,
        topic: app_commands.Range[str, 1, 300] | None = None,
        window: app_commands.Range[str, 1, 40] | None = None,
        library: str | None = None,
    ) -> None:
        """What rises, what fades and what is new in the library here, with a picture."""
        await interaction.response.defer(thinking=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction))
        found = await studio.trends.outlook(
            where.space,
            topic=topic or "",
            window=window or "",
            scope=Scope(library or Scope.ALL),
            filters=where.filters,
        )
        files = []
        if found.trends:
            drawn = await asyncio.to_thread(chart.picture, found)
            description = cut(chart.described(found), LONGEST_DESCRIPTION)
            files = [discord.File(io.BytesIO(drawn), PICTURE, description=description)]
        await interaction.edit_original_response(
            view=trends_page(found, pictured=bool(files)), attachments=files, allowed_mentions=NOBODY
        )


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Trends(bot))
