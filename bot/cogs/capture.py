"""Inspiration channels as they are lived in: what is posted, edited, deleted, declined, and what was missed meanwhile.

Every listener first says which messages it is about, then waits for its turn: events are taken in the order in which
Discord sent them, and never overtaken by a page that was read before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVarTuple

import discord
from discord.ext import commands

from bot.cogs.posts import OUT, post_of, shared
from bot.cogs.reading import Reader
from bot.cogs.spaces import person_of
from bot.cogs.upkeep import TROUBLE, ChannelButton, Upkeep
from knowledge.errors import KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

FINISHING = 2.0  # seconds that events get to be followed before the bot stops
MOST_UNMARKED = 200  # messages from which the mark is taken back when somebody is forgotten: one request each
Ts = TypeVarTuple("Ts")


Listener = Callable[["Capture", *Ts], Coroutine[Any, Any, None]]


def followed_to_its_end(listener: Listener[*Ts]) -> Listener[*Ts]:
    """A listener that is waited for when the bot stops: what came in before is not lost."""

    @wraps(listener)
    async def listen(self: Capture, *given: *Ts) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._events.add(task)
        try:
            await listener(self, *given)
        finally:
            self._events.discard(task)

    return listen


class Capture(commands.Cog):
    """Keeps library and channels in agreement."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._reader = Reader(bot)
        self._upkeep = Upkeep(bot, self._reader)
        self._events: set[asyncio.Task[Any]] = set()

    async def cog_load(self) -> None:
        """Make the buttons known, so that a press on any message arrives."""
        self.bot.add_dynamic_items(ChannelButton)

    async def cog_unload(self) -> None:
        """Stop reading; it goes on after the next start."""
        self.bot.remove_dynamic_items(ChannelButton)
        if self._events:  # what has come in is still followed
            await asyncio.wait(self._events, timeout=FINISHING)
        late = list(self._events)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._upkeep.end()

    @property
    def upkeep(self) -> Upkeep:
        """What goes on behind the events."""
        return self._upkeep

    # --- what happens in channels -----------------------------------------------------------------------------------

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_message(self, message: discord.Message) -> None:
        """Somebody posts in a channel."""
        if message.guild is None or not self.bot.intents.message_content or not shared(message, self.bot.user):
            return
        self._reader.touched([message.id])
        try:
            await self._keep(message)
        except TROUBLE as error:
            self._upkeep.make_good(message.channel.id, error)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A message changes, or what Discord unfolds below it comes in."""
        if not self.bot.intents.message_content:
            return  # it would seem to say nothing any more
        self._reader.touched([payload.message_id])
        try:
            if shared(payload.message, self.bot.user):
                await self._keep(payload.message)
            else:
                await self._let_go([payload.message_id])
            if not payload.message.author.bot:
                await (await self.bot.studio()).shelf.message_edited(post_of(payload.message))
        except TROUBLE as error:
            self._upkeep.make_good(payload.channel_id, error)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message that is deleted does not live on in the library."""
        await self._deleted(payload.channel_id, [payload.message_id])

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Nor do many at once."""
        await self._deleted(payload.channel_id, payload.message_ids)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Nor do those of a channel that is no longer there. If everybody saw it, ideas from it stay everybody's."""
        walls = (await self.bot.studio()).walls
        for one in (channel.id, *await walls.threads(channel.id)):
            await self._channel_deleted(one)
        if channel.permissions_for(channel.guild.default_role).view_channel and not getattr(channel, "nsfw", False):
            await walls.channel_opened(channel.id)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Nor do those of a thread."""
        await self._channel_deleted(payload.thread_id)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Where the bot may read again what it could not, it catches up; a new name is taken over."""
        channels = (await self.bot.studio()).channels
        if not await channels.follows(after.id):
            return
        if before.name != after.name:
            await channels.rename(after.id, f"#{after.name}"[:100])
        mine = (before.permissions_for(before.guild.me), after.permissions_for(after.guild.me))
        could, can = (may.view_channel and may.read_message_history for may in mine)
        if can and not could:
            self._upkeep.catch_up(after.id)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_reaction_add(self, payload: discord.RawReactionActionEvent) -> None:
        """An author leaves a message of theirs out."""
        if str(payload.emoji) != OUT or payload.message_author_id != payload.user_id:
            return
        self._reader.touched([payload.message_id])
        channels = (await self.bot.studio()).channels
        if not await channels.follows(payload.channel_id):
            return
        try:
            async with self._reader.lock:
                author = person_of(discord.Object(payload.user_id))
                gone = await channels.decline(payload.channel_id, payload.message_id, author)
            if gone:
                await self._reader.unmark([(payload.channel_id, payload.message_id)])
        except TROUBLE as error:
            self._upkeep.make_good(payload.channel_id, error)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_reaction_remove(self, payload: discord.RawReactionActionEvent) -> None:
        """And lets it in again."""
        if str(payload.emoji) != OUT:
            return
        self._reader.touched([payload.message_id])
        channels = (await self.bot.studio()).channels
        try:
            async with self._reader.lock:
                back = await channels.undecline(payload.message_id, person_of(discord.Object(payload.user_id)))
            if back and self.bot.intents.message_content:
                place = self.bot.get_channel(payload.channel_id)
                if isinstance(place, discord.abc.Messageable):
                    message = await place.fetch_message(payload.message_id)
                    if shared(message, self.bot.user):
                        await self._keep(message)
        except TROUBLE as error:
            self._upkeep.make_good(payload.channel_id, error)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_let_go(self, messages: Sequence[tuple[int, int]]) -> None:
        """Somebody is no longer kept: their messages don't say any more that they are."""
        await self._reader.unmark(messages[:MOST_UNMARKED])

    # --- what was missed ---------------------------------------------------------------------------------------------

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Connected anew: whatever happened meanwhile is made good, and what was being read is read on."""
        self._upkeep.begin()

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_reading_changed(self, channel_id: int) -> None:
        """Somebody stopped the reading of a channel: show it at once, and read no further page."""
        await self._upkeep.stopped(channel_id)

    # --- within ------------------------------------------------------------------------------------------------------

    async def _keep(self, message: discord.Message) -> None:
        channels = (await self.bot.studio()).channels
        if not await channels.follows(message.channel.id):
            return
        async with self._reader.lock:
            change = await channels.keep(post_of(message))
        if change.kept:
            followed = await channels.of(message.channel.id)
            if followed is not None and followed.marks:
                await self._reader.mark(message.channel, change.kept)

    async def _let_go(self, message_ids: Iterable[int]) -> None:
        channels = (await self.bot.studio()).channels
        async with self._reader.lock:
            await channels.let_go(message_ids)

    async def _deleted(self, channel_id: int, message_ids: Iterable[int]) -> None:
        ids = list(message_ids)
        self._reader.touched(ids)
        try:
            await (await self.bot.studio()).shelf.messages_deleted(ids)
            await self._let_go(ids)
        except KindlingError as error:
            self._upkeep.make_good(channel_id, error)

    async def _channel_deleted(self, channel_id: int) -> None:
        try:
            studio = await self.bot.studio()
            await studio.shelf.channel_deleted(channel_id)
            async with self._reader.lock:
                await studio.channels.channel_deleted(channel_id)
        except KindlingError as error:
            self._upkeep.make_good(channel_id, error)


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Capture(bot))
