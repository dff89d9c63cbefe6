"""Digests at their times: each is posted once, late rather than never within reason, and never twice.

Before one is posted that is noted, and after it. Where a stop or a broken line came in between, the channel itself is
asked whether the digest stands there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord.ext import commands

from bot.cogs.live import NOBODY
from bot.cogs.sight import Eyes, filters_for
from bot.ideation.digests import Subscription
from bot.ideation.studio import Studio
from bot.ui.digest import digest_mark, digest_page
from knowledge.errors import KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0  # seconds: after it the clock is looked at again, which may have been set, or have slept
LOOKED_THROUGH = 100  # messages after the time of a digest among which it is looked for


class DigestCog(commands.Cog, name="Digest"):
    """Posts what is due."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    async def cog_unload(self) -> None:
        """Post no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Connected: from now on digests come at their times."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_time(), name="digests")
        self._wake.set()

    @commands.Cog.listener()
    async def on_digests_changed(self) -> None:
        """Somebody asked for one, or for none any more."""
        self._wake.set()

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel that is no longer there gets none."""
        with suppress(KindlingError):
            await (await self.bot.studio()).digests.unsubscribe(channel.id)

    async def _keep_time(self) -> None:
        while True:
            self._wake.clear()
            sleep = LONGEST_SLEEP
            try:
                studio = await self.bot.studio()
                await self.post_due()
                now = self.bot.now()
                nexts = [one.schedule.following(now) for one in await studio.digests.all()]
                sleep = min([LONGEST_SLEEP, *((time - now).total_seconds() for time in nexts)])
            except KindlingError as error:
                log.warning("digests could not be looked at: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, sleep)):
                    await self._wake.wait()

    async def post_due(self) -> None:
        """Post what is due by now. Raises what the store raises."""
        async with self._one_at_a_time:
            studio = await self.bot.studio()
            for one, time in await studio.digests.due(self.bot.now()):
                await self._post(studio, one, time)

    async def _post(self, studio: Studio, one: Subscription, time: datetime) -> None:
        """Post one digest, unless it stands there already. What can't be done now is tried again until it is late."""
        channel: Any = self.bot.get_channel(one.channel)
        if channel is None or channel.guild.unavailable:
            log.warning("the channel %s of a digest can't be reached", one.channel)
            return
        try:
            if one.begun == time and await self._stands(channel, time, digest_mark(one.schedule.day(time))):
                await studio.digests.handled(one.channel, time)
                return
            eyes = Eyes(channel.guild, channel.id, getattr(channel, "parent_id", None), None)
            filters = await filters_for(studio, self.bot, eyes, (one.space,))
            rules = await studio.rules.for_channel(channel.guild.id, channel.id, getattr(channel, "parent_id", None))
            digest = await studio.digests.write(one, time, filters, rules.brief)
            await studio.digests.begin(one.channel, time)
            nonce = (
                f"{channel.id:x}-{int(time.timestamp()):x}"  # Discord takes the same one once, if asked again at once
            )
            await channel.send(view=digest_page(digest), nonce=nonce, allowed_mentions=NOBODY)
            await studio.digests.handled(one.channel, time, digest)
        except (discord.Forbidden, discord.NotFound) as error:
            log.warning("the digest for channel %s can't be posted there: %s", one.channel, error)
            await studio.digests.handled(one.channel, time)
        except (KindlingError, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("the digest for channel %s is tried again: %s", one.channel, error)

    async def _stands(self, channel: Any, time: datetime, mark: str) -> bool:
        """Whether the digest with this mark was posted after all."""
        me = self.bot.user
        async for message in channel.history(limit=LOOKED_THROUGH, after=time, oldest_first=True):
            if me is not None and message.author.id == me.id and mark in "\n".join(_texts(message.components)):
                return True
        return False


def _texts(components: Iterable[Any]) -> list[str]:
    texts = []
    for component in components:
        if isinstance(component, discord.TextDisplay):
            texts.append(component.content)
        texts += _texts(getattr(component, "children", ()))
    return texts


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(DigestCog(bot))
