"""Reading channels back: what was missed while the bot was away, and older messages when somebody asks for them.

A page of a channel is compared with what the library holds of it, so that both agree afterwards whatever happened in
between. What changes while a page is on its way is left to the events that tell of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import discord

from bot.cogs.posts import MARK, OUT, post_of, shared
from bot.ideation.captured import Change
from bot.ideation.followed import Followed, Reading
from knowledge.errors import KindlingError

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

PAGE = 100  # messages that Discord gives at a time
PAUSE = 1.0  # seconds between two pages, beyond what Discord's rate limits ask
TRY_AGAIN = 60.0  # seconds before a channel is read again that could not be read, or whose change could not be stored
ALL = 2**63 - 1


@dataclass(slots=True)
class _Page:
    """A page of a channel: all its messages with numbers from `first` to `last`, and those that changed since."""

    messages: list[discord.Message] = field(default_factory=list)
    first: int = 0
    last: int = ALL
    changed: set[int] = field(default_factory=set)


class Reader:
    """Reads pages of channels into the library. `lock` orders them with what events bring in."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self.lock = asyncio.Lock()
        self._on_their_way: list[_Page] = []

    def touched(self, message_ids: Iterable[int]) -> None:
        """An event is about to tell of these messages: pages on their way leave them alone."""
        ids = set(message_ids)
        for page in self._on_their_way:
            page.changed |= ids

    async def catch_up(self, followed: Followed) -> None:
        """Make good what was missed in a channel, newest first, back to the oldest message that is kept.

        Raises what Discord, the network and the store raise.
        """
        channels = (await self.bot.studio()).channels
        channel = await self._channel(followed)
        if channel is None:
            await channels.channel_deleted(followed.channel)
            log.info("the channel %s is no longer there; what was kept of it is removed", followed.channel)
            return
        oldest = await channels.oldest(followed.channel)
        floor = min(followed.since + 1 if followed.on else ALL, ALL if oldest is None else oldest)
        async with aclosing(self._pages(channel, ALL, floor)) as pages:
            async for page in pages:
                change = await self._follow(followed, page, back=False)
                if followed.marks:
                    await self.mark(channel, change.kept)

    async def read_back(self, followed: Followed) -> AsyncGenerator[Followed, None]:
        """Read the older messages of a channel, page by page; the channel as it stands after each.

        It ends when there are none left, or when it was stopped. Raises as `catch_up`.
        """
        channels = (await self.bot.studio()).channels
        channel = await self._channel(followed)
        if channel is None:
            return
        async with aclosing(self._pages(channel, followed.since, 0)) as pages:
            async for page in pages:
                await self._follow(followed, page, back=True)
                if page.first == 0:
                    await channels.set_reading(followed.channel, Reading.DONE)
                now = await channels.of(followed.channel)
                if now is None:
                    return
                yield now
                if now.reading is not Reading.GOING:
                    return

    async def mark(self, channel: Any, message_ids: Iterable[int]) -> None:
        """Show on messages that they were kept; where the bot may not, it is not shown."""
        for message_id in message_ids:
            try:
                await channel.get_partial_message(message_id).add_reaction(MARK)
            except discord.NotFound:
                continue
            except discord.HTTPException as error:
                log.info("what is kept in %s can't be marked: %s", channel.id, error)
                return

    async def unmark(self, messages: Iterable[tuple[int, int]]) -> None:
        """Take that back, of messages given by their channels and numbers."""
        me = self.bot.user
        for channel_id, message_id in messages:
            channel = self.bot.get_partial_messageable(channel_id)
            try:
                if me is not None:
                    await channel.get_partial_message(message_id).remove_reaction(MARK, me)
            except discord.HTTPException as error:
                log.info("the mark on %s can't be taken back: %s", message_id, error)

    async def _channel(self, followed: Followed) -> Any:
        """The channel as the bot sees it, or None where it is no longer there.

        Raises `Unreadable` where the bot may not read it back now, or its server can't be reached.
        """
        guild = self.bot.get_guild(int(followed.space.partition(":")[2]))
        if guild is None or guild.unavailable:
            raise Unreadable(f"the server of channel {followed.channel} can't be reached")
        channel: Any = guild.get_channel_or_thread(followed.channel)
        if channel is None:
            try:
                channel = await self.bot.fetch_channel(followed.channel)
            except discord.NotFound:
                return None
        may = channel.permissions_for(guild.me)
        if not (may.view_channel and may.read_message_history):
            raise Unreadable(f"I may not read channel {followed.channel} back")
        return channel

    async def _pages(self, channel: Any, last: int, floor: int) -> AsyncGenerator[_Page, None]:
        """The messages of a channel up to number `last`, newest first, at least down to number `floor`."""
        while last >= floor:
            page = _Page(last=last)
            self._on_their_way.append(page)
            try:
                before = None if last == ALL else discord.Object(last + 1)
                page.messages = [one async for one in channel.history(limit=PAGE, before=before)]
                if len(page.messages) == PAGE:
                    page.first = page.messages[-1].id
                elif not channel.permissions_for(channel.guild.me).read_message_history:
                    raise Unreadable(f"I may not read channel {channel.id} back")  # and so was given nothing
                yield page
            finally:
                self._on_their_way.remove(page)
            last = page.first - 1
            if last >= floor:
                await asyncio.sleep(PAUSE)

    async def _follow(self, followed: Followed, page: _Page, *, back: bool) -> Change:
        posts = [post_of(message) for message in page.messages if shared(message, self.bot.user)]
        declined = {message.id for message in page.messages if await _declined(message)}
        channels = (await self.bot.studio()).channels
        async with self.lock:
            return await channels.follow(
                followed.channel,
                posts,
                page.first,
                page.last,
                declined=declined,
                spared=frozenset(page.changed),
                back=back,
            )


class Unreadable(KindlingError):
    """A channel that can't be read back now."""


async def _declined(message: discord.Message) -> bool:
    """Whether the author of a message left it out by a reaction."""
    for reaction in message.reactions:
        if str(reaction.emoji) == OUT:
            after = discord.Object(message.author.id - 1)
            return any([user.id == message.author.id async for user in reaction.users(limit=1, after=after)])
    return False
