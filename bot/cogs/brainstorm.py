"""/brainstorm, and the message menu "Brainstorm from this": a brief in, a board that grows out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.growth import GrowingBoard, Turn, Wish, sparks_first
from bot.cogs.sight import seen
from bot.cogs.spaces import place_asked, rules_here
from bot.cogs.trends import trend_names
from bot.ideation.brief import read_brief
from bot.ideation.events import Event
from bot.ideation.studio import Studio
from bot.ideation.techniques import OPERATIONS
from bot.ideation.types import Technique
from bot.ui.marks import cut
from knowledge.errors import BadInput
from knowledge.types import Distance

if TYPE_CHECKING:
    from bot.client import Kindling

MOST_IDEAS = 20
LONGEST_BORROWED = 300  # characters of a message that are taken as a brief
TECHNIQUES = [
    app_commands.Choice(name=cut(f"{technique}: {OPERATIONS[technique].move}", 100), value=str(technique))
    for technique in Technique
]
DISTANCES = [
    app_commands.Choice(name="near: close to the brief, can be done", value=str(Distance.NEAR)),
    app_commands.Choice(name="mixed: some near, some far", value=str(Distance.MIXED)),
    app_commands.Choice(name="far: from remote fields, for surprise", value=str(Distance.FAR)),
]


class Brainstorm(commands.Cog):
    """Ideas for a brief."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._menu = app_commands.ContextMenu(name="Brainstorm from this", callback=self.from_message)
        app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)(self._menu)
        bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Take the menu away with the cog."""
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(
        brief="What you want ideas about, in a sentence: a poster for a night market",
        technique="One technique for all ideas (without: a mix of eight)",
        distance="How far the sparks may lie from the brief",
        count="How many ideas, 1 to 20",
        audience="Whom it is for: children of ten, tired commuters",
        private="Only you see the board, and it stays in your own space",
        trend="Sparks of this trend alone; /trends shows what there is",
    )
    @app_commands.choices(technique=TECHNIQUES, distance=DISTANCES)
    @app_commands.autocomplete(trend=trend_names)
    async def brainstorm(
        self,
        interaction: discord.Interaction,
        brief: app_commands.Range[str, 1, 1000],
        technique: str | None = None,
        distance: str | None = None,
        count: app_commands.Range[int, 1, MOST_IDEAS] | None = None,
        audience: app_commands.Range[str, 1, 100] | None = None,
        private: bool = False,
        trend: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Ideas for a brief, each with the sparks it came from."""
        await self._grow(
            interaction,
            brief,
            technique=Technique(technique) if technique else None,
            distance=Distance(distance) if distance else None,
            count=count,
            audience=audience,
            private=private,
            trend=trend or "",
        )

    async def from_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """The message menu: what somebody wrote, as a brief."""
        text = message.clean_content
        if not text.strip():
            raise BadInput("That message has no words that I can read: start with /brainstorm instead.")
        await self._grow(interaction, cut(text, LONGEST_BORROWED))

    async def _grow(
        self,
        interaction: discord.Interaction,
        text: str,
        *,
        technique: Technique | None = None,
        distance: Distance | None = None,
        count: int | None = None,
        audience: str | None = None,
        private: bool = False,
        trend: str = "",
    ) -> None:
        """What is not given here the channel's rules give, else the settings."""
        brief = read_brief(text, audience)
        where = place_asked(interaction, private)

        async def events(studio: Studio, turn: Turn) -> AsyncGenerator[Event, None]:
            rules, settings = await rules_here(studio, interaction), self.bot.settings
            sight = await seen(studio, interaction, where)
            move = technique or rules.technique
            ideas = studio.brainstorm(
                where.space,
                text,
                count=count or rules.count or settings.count,
                technique=move,
                distance=distance or rules.distance or settings.distance,
                audience=rules.aim(audience),
                tone=rules.tone,
                draw_on=where.draw_on,
                banned=rules.banned,
                filters=sight.filters,
                among=await studio.trends.sparks(
                    where.space, trend, move, draw_on=where.draw_on, filters=sight.filters
                ),
            )
            async with aclosing(sparks_first(ideas, turn)) as found:
                async for event in found:
                    yield event

        await GrowingBoard(self.bot, interaction, Wish(brief, lambda brief: brief.line, where, events)).grow()


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Brainstorm(bot))
