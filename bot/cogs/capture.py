"""Inspiration channels as they are lived in: what is posted, edited, deleted, declined, and what was missed meanwhile.

Every listener first says which messages it is about, then waits for its turn: events are taken in the order in which
Discord sent them, and never overtaken by a page that was read before.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVarTuple

import aiohttp
import discord
from discord import ui
from discord.ext import commands

from bot.cogs.live import NOBODY, Fields, Gone, LiveMessage
from bot.cogs.posts import NEEDS_CONTENT, OUT, post_of, shared
from bot.cogs.reading import TRY_AGAIN, Reader, Unreadable
from bot.cogs.refusal import refuse
from bot.cogs.rights import require_managing
from bot.cogs.spaces import person_of, space_of
from bot.ideation.channels import Followed, Reading
from bot.ui.cards import note
from bot.ui.channels import progress_page
from knowledge.errors import BadInput, KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

FINISHING = 2.0  # seconds that events get to be followed before the bot stops
MOST_UNMARKED = 200  # messages from which the mark is taken back when somebody is forgotten: one request each
Ts = TypeVarTuple("Ts")
_TROUBLE = (KindlingError, discord.HTTPException, aiohttp.ClientError, OSError)


class ChannelButton(ui.DynamicItem[ui.Button[Any]], template=re.compile(r"capture1:(?P<verb>stop|remove):(?P<id>\d+)")):
    """Stop reading a channel's older messages, or remove what was kept of it; works after a restart."""

    def __init__(self, verb: str, channel_id: int) -> None:
        label = {"stop": "Stop", "remove": "Remove what was kept"}[verb]
        style = discord.ButtonStyle.danger if verb == "remove" else discord.ButtonStyle.secondary
        button: ui.Button[Any] = ui.Button(label=label, style=style, custom_id=f"capture1:{verb}:{channel_id}")
        super().__init__(button)
        self.verb, self.channel_id = verb, channel_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str]
    ) -> ChannelButton:
        """Called by discord.py when a custom id fits the pattern."""
        return cls(match["verb"], int(match["id"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do it. discord.py would swallow an error here, so it is answered here."""
        try:
            bot: Any = interaction.client
            await interaction.response.defer()
            channels = (await bot.studio()).channels
            require_managing(interaction)
            followed = await channels.of(self.channel_id)
            if followed is None or followed.space != space_of(interaction.guild_id, interaction.user):
                raise BadInput("Nothing is kept of that channel any more.")
            if self.verb == "stop":
                if followed.reading is Reading.GOING:
                    await channels.set_reading(self.channel_id, Reading.STOPPED)
                    bot.dispatch("reading_changed", self.channel_id)
                return
            removed = await channels.remove(self.channel_id, interaction.id)
            view = note(f"Removed {removed} snippets of that channel. No idea shows them any more.")
            await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)
        except Exception as error:
            await refuse(interaction, error)


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
        self._running: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._events: set[asyncio.Task[Any]] = set()

    async def cog_load(self) -> None:
        """Make the buttons known, so that a press on any message arrives."""
        self.bot.add_dynamic_items(ChannelButton)

    async def cog_unload(self) -> None:
        """Stop reading; it goes on after the next start."""
        self.bot.remove_dynamic_items(ChannelButton)
        if self._events:  # what has come in is still followed
            await asyncio.wait(self._events, timeout=FINISHING)
        running = [*self._running.values(), *self._events]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

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
        except _TROUBLE as error:
            self._make_good(message.channel.id, error)

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
        except _TROUBLE as error:
            self._make_good(payload.channel_id, error)

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
        await self._channel_deleted(channel.id)
        if channel.permissions_for(channel.guild.default_role).view_channel and not getattr(channel, "nsfw", False):
            await (await self.bot.studio()).walls.channel_opened(channel.id)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Nor do those of a thread."""
        await self._channel_deleted(payload.thread_id)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_guild_channel_update(self, before: discord.abc.GuildChannel, after: discord.abc.GuildChannel) -> None:
        """Where the bot may read again what it could not, it catches up."""
        mine = (before.permissions_for(before.guild.me), after.permissions_for(after.guild.me))
        could, can = (may.view_channel and may.read_message_history for may in mine)
        if can and not could and await (await self.bot.studio()).channels.follows(after.id):
            self._begin("catch up", after.id, self._catch_up(after.id))

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
        except _TROUBLE as error:
            self._make_good(payload.channel_id, error)

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
        except _TROUBLE as error:
            self._make_good(payload.channel_id, error)

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_let_go(self, messages: Sequence[tuple[int, int]]) -> None:
        """Somebody is no longer kept: their messages don't say any more that they are."""
        await self._reader.unmark(messages[:MOST_UNMARKED])

    # --- what was missed ---------------------------------------------------------------------------------------------

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Connected anew: whatever happened meanwhile is made good, and what was being read is read on."""
        self._begin("wake up", 0, self._wake_up())

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

    def read_back(self, channel_id: int) -> None:
        """Read a channel's older messages, behind everything else; its progress shows where it was asked for."""
        self._begin("read back", channel_id, self._read_back(channel_id))

    @commands.Cog.listener()
    @followed_to_its_end
    async def on_reading_changed(self, channel_id: int) -> None:
        """Somebody stopped the reading of a channel: show it at once, and read no further page."""
        task = self._running.get(("read back", channel_id))
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        followed = await (await self.bot.studio()).channels.of(channel_id)
        if followed is not None and followed.told is not None:
            live = LiveMessage(Placed(self.bot, *followed.told))
            live.show(partial(_progress, followed))
            await live.land()

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
            except _TROUBLE as error:
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
            except _TROUBLE as error:
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
            except _TROUBLE as error:
                log.info("whether message %s is still there can't be told: %s", message_id, error)
            else:
                if message.content:
                    await shelf.message_edited(post_of(message))

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
            self._make_good(channel_id, error)

    async def _channel_deleted(self, channel_id: int) -> None:
        try:
            studio = await self.bot.studio()
            await studio.shelf.channel_deleted(channel_id)
            async with self._reader.lock:
                await studio.channels.channel_deleted(channel_id)
        except KindlingError as error:
            self._make_good(channel_id, error)

    def _make_good(self, channel_id: int, error: Exception) -> None:
        """An event could not be followed: the channel is compared anew in a while."""
        log.warning("a change in channel %s could not be stored: %s", channel_id, error)

        async def later() -> None:
            await asyncio.sleep(TRY_AGAIN)
            await self._catch_up(channel_id)

        self._begin("catch up", channel_id, later())


def _progress(followed: Followed) -> Fields:
    stop = ui.ActionRow(ChannelButton("stop", followed.channel).item) if followed.reading is Reading.GOING else None
    return {"view": progress_page(followed, stop)}


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Capture(bot))
