"""Upkeep of inspiration channels, behind everything else: what was missed is made good, older messages are read back.

Each channel has one such task of a kind at a time. A stop of the bot ends them all; they begin again when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import ui

from bot.cogs.lasting import LastingButton
from bot.cogs.live import NOBODY, Fields, Gone, LiveMessage
from bot.cogs.posts import NEEDS_CONTENT, post_of
from bot.cogs.reading import TRY_AGAIN, Reader, Unreadable
from bot.cogs.rights import require_managing
from bot.cogs.spaces import space_of
from bot.ideation.followed import Followed, Reading
from bot.ui.cards import note
from bot.ui.channels import progress_page
from knowledge.errors import BadInput, KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

TROUBLE = (KindlingError, discord.HTTPException, aiohttp.ClientError, OSError)


class ChannelButton(LastingButton, template=re.compile(r"capture1:(?P<verb>stop|remove):(?P<channel>\d+)")):
    """Stops reading a channel's older messages, or removes what was kept of it."""

    def __init__(self, verb: str, channel: str) -> None:
        label = {"stop": "Stop", "remove": "Remove what was kept"}[verb]
        style = discord.ButtonStyle.danger if verb == "remove" else discord.ButtonStyle.secondary
        super().__init__(f"capture1:{verb}:{channel}", label, style)
        self._verb, self._channel_id = verb, int(channel)

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Do it."""
        bot: Any = interaction.client
        await interaction.response.defer()
        channels = (await bot.studio()).channels
        require_managing(interaction)
        followed = await channels.of(self._channel_id)
        if followed is None or followed.space != space_of(interaction.guild_id, interaction.user):
            raise BadInput("Nothing is kept of that channel any more.")
        if self._verb == "stop":
            if followed.reading is Reading.GOING:
                await channels.set_reading(self._channel_id, Reading.STOPPED)
                bot.dispatch("reading_changed", self._channel_id)
            return
        removed = await channels.remove(self._channel_id, interaction.id)
        told = f"Removed {removed} snippets of that channel. No idea shows them any more."
        await interaction.edit_original_response(view=note(told), allowed_mentions=NOBODY)


class Placed:
    """A message that is there already, known by its channel and number: an outlet (see live.py)."""

    def __init__(self, bot: Kindling, channel_id: int, message_id: int) -> None:
        self._message = bot.get_partial_messageable(channel_id).get_partial_message(message_id)

    async def put(self, fields: Fields) -> None:
        """Edit it. Raises `Gone` when that can't be any more."""
        try:
            await self._message.edit(allowed_mentions=NOBODY, **fields)
        except discord.HTTPException as error:
            if error.status in {400, 401, 403, 404}:
                raise Gone(str(error)) from error
            raise


class Upkeep:
    """What goes on behind the events of channels."""

    def __init__(self, bot: Kindling, reader: Reader) -> None:
        self.bot = bot
        self._reader = reader
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}

    def begin(self) -> None:
        """Make good whatever happened while the bot was away, and read on what was being read."""
        self._begin("wake up", 0, self._wake_up())

    def catch_up(self, channel_id: int) -> None:
        """Make good what was missed in a channel."""
        self._begin("catch up", channel_id, self._catch_up(channel_id))

    def read_back(self, channel_id: int) -> None:
        """Read a channel's older messages, behind everything else; its progress shows where it was asked for."""
        self._begin("read back", channel_id, self._read_back(channel_id))

    async def stopped(self, channel_id: int) -> None:
        """Somebody stopped the reading of a channel: read no further page, and show it at once."""
        task = self._running.get(("read back", channel_id))
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        followed = await (await self.bot.studio()).channels.of(channel_id)
        if followed is not None and followed.told is not None and followed.reading is Reading.STOPPED:
            live = LiveMessage(Placed(self.bot, *followed.told))
            live.show(partial(_progress, followed))
            await live.land()

    async def end(self) -> None:
        """Stop all of it."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def make_good(self, channel_id: int, error: Exception) -> None:
        """An event could not be followed: the channel is compared anew in a while."""
        log.warning("a change in channel %s could not be stored: %s", channel_id, error)

        async def later() -> None:
            await asyncio.sleep(TRY_AGAIN)
            await self._catch_up(channel_id)

        self._begin("catch up", channel_id, later())

    async def _wake_up(self) -> None:
        try:
            followed = await (await self.bot.studio()).channels.all()
        except KindlingError as error:
            log.warning("no inspiration channel can be followed: %s", error)
            return
        if followed and not self.bot.intents.message_content:
            log.warning("no inspiration channel can be followed. %s", NEEDS_CONTENT)
            return
        for one in followed:
            self._begin("catch up", one.channel, self._catch_up(one.channel))
            if one.reading is Reading.GOING:
                self.read_back(one.channel)
        self._begin("saved messages", 0, self._look_at_saved())

    async def settled(self) -> None:
        """Wait until all that was missed is made good and all that is being read is read."""
        while running := list(self._running.values()):
            await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, what: str, channel_id: int, work: Any) -> None:
        """Do something in the background, once at a time for each channel: what is asked for again is done anew."""
        key = (what, channel_id)
        before = self._running.get(key)

        async def run() -> None:
            try:
                if before is not None:
                    before.cancel()
                    await asyncio.gather(before, return_exceptions=True)
                await work
            except asyncio.CancelledError:
                work.close()
                raise
            finally:
                if self._running.get(key) is asyncio.current_task():
                    del self._running[key]

        self._running[key] = asyncio.create_task(run(), name=f"{what} {channel_id}")

    async def _catch_up(self, channel_id: int) -> None:
        while True:
            try:
                followed = await (await self.bot.studio()).channels.of(channel_id)
                if followed is not None:
                    await self._reader.catch_up(followed)
                return
            except Unreadable as error:
                log.warning("what was missed can't be made good: %s", error)
                return
            except TROUBLE as error:
                log.warning("channel %s is read again in a minute: %s", channel_id, error)
            await asyncio.sleep(TRY_AGAIN)

    async def _read_back(self, channel_id: int) -> None:
        channels = (await self.bot.studio()).channels
        live: LiveMessage | None = None
        while True:
            followed = await channels.of(channel_id)
            if followed is None or followed.reading is not Reading.GOING:
                break
            if live is None and followed.told is not None:
                live = LiveMessage(Placed(self.bot, *followed.told))
            try:
                async with aclosing(self._reader.read_back(followed)) as pages:
                    async for now in pages:
                        if live is not None:
                            live.show(partial(_progress, now))
            except Unreadable as error:
                log.warning("older messages can't be read: %s", error)
                await channels.set_reading(channel_id, Reading.STOPPED)
                stopped = await channels.of(channel_id)
                if live is not None and stopped is not None:
                    live.show(partial(_progress, stopped))
            except TROUBLE as error:
                log.warning("channel %s is read on in a minute: %s", channel_id, error)
                await asyncio.sleep(TRY_AGAIN)
        if live is not None:
            await live.land()

    async def _look_at_saved(self) -> None:
        """See whether the messages that somebody saved are still there, and say what they said."""
        shelf = (await self.bot.studio()).shelf
        for channel_id, message_id in await shelf.saved_messages():
            self._reader.touched([message_id])
            try:
                message = await self.bot.get_partial_messageable(channel_id).fetch_message(message_id)
            except discord.NotFound:
                await shelf.messages_deleted([message_id])
            except TROUBLE as error:
                log.info("whether message %s is still there can't be told: %s", message_id, error)
            else:
                if message.content:
                    await shelf.message_edited(post_of(message))


def _progress(followed: Followed) -> Fields:
    going = followed.reading is Reading.GOING
    stop = ui.ActionRow(ChannelButton("stop", str(followed.channel)).item) if going else None
    return {"view": progress_page(followed, stop)}
