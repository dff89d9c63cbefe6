"""Feeds are kept fresh while the bot runs: those that are due are fetched, and new ones at once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from discord.ext import commands

from knowledge.errors import KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

LOOK = 60.0  # seconds between two looks at what is due


class FeedsCog(commands.Cog, name="Feeds"):
    """Fetches what is due, on threads of its own; the event loop only waits."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._task: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        """Begin, unless feeds are only fetched when somebody asks."""
        if self.bot.settings.refresh:
            self._task = asyncio.create_task(self._keep_fresh(), name="keep feeds fresh")

    async def cog_unload(self) -> None:
        """Stop. What is being fetched is broken off when the studio closes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        try:
            sources = (await self.bot.studio()).sources
        except KindlingError:
            return  # the library cannot be opened: whoever uses it is told
        while True:
            try:
                for fetch in await sources.refresh():
                    if fetch.error:
                        log.info("a feed could not be fetched: %s %s", fetch.address, fetch.error)
            except KindlingError as error:
                log.warning("feeds could not be kept fresh: %s", error)
            except Exception:
                log.exception("keeping feeds fresh went wrong; it goes on with the next look")
            await sources.wait(LOOK)


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(FeedsCog(bot))
