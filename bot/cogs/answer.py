"""One reply in a conversation, streamed into ordinary messages, from its place in the queue to its last edit.

Whatever happens (a model that fails, a reply that somebody deletes, a channel that is closed), the reply ends with what
there is, and nothing is raised to the conversation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

import discord

from bot.cogs.live import NOBODY, Fields, Gone, LiveMessage
from bot.cogs.refusal import line_for
from bot.language.errors import LanguageError
from bot.turns import Place
from bot.ui.marks import plain
from bot.ui.pages import split
from bot.ui.replies import own_words, reply, sparks_alone, without_banned
from knowledge.types import Hit

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

ENOUGH = 24  # characters before the first message is sent: it pings nobody, but it ends the typing
NOTHING_SAID = "I find no words for that just now. These lie near it; say it in other words, or build on one of them."
_ARCHIVED = 50083

Pieces = AsyncGenerator[tuple[Hit, ...] | str, None]
Speak = Callable[[], Awaitable[tuple[Pieces, tuple[str, ...]]]]
"""Begins what the studio has to say: its pieces, and the motifs that are banned where it is said."""


class ChannelMessage:
    """An ordinary message in a channel, sent with the first `put`: an outlet (see live.py).

    It replies to `to`, or to the message `after` which it goes on. What it replies to may be gone.
    """

    def __init__(
        self,
        channel: discord.abc.Messageable,
        *,
        to: discord.MessageReference | None = None,
        after: ChannelMessage | None = None,
    ) -> None:
        self._channel = channel
        self._to = to
        self._after = after
        self._settled = asyncio.Event()
        self.message: discord.Message | None = None

    async def put(self, fields: Fields) -> None:
        """Send or edit. Raises `Gone` when that can't be any more."""
        try:
            if self.message is None:
                self.message = await self._send(fields)
            else:
                await self._edit(self.message, fields)
        except discord.HTTPException as error:
            if error.status in {400, 401, 403, 404}:
                raise Gone(str(error)) from error
            raise
        finally:
            self._settled.set()

    async def withdraw(self) -> None:
        """Delete the message, if it was sent."""
        if self.message is not None:
            with suppress(discord.HTTPException):
                await self.message.delete()

    async def _send(self, fields: Fields) -> discord.Message:
        to = self._to
        if self._after is not None:
            await self._after._settled.wait()
            before = self._after.message
            to = before.to_reference(fail_if_not_exists=False) if before else None
        if to is None:
            return await self._channel.send(allowed_mentions=NOBODY, **fields)
        return await self._channel.send(reference=to, allowed_mentions=NOBODY, **fields)

    async def _edit(self, message: discord.Message, fields: Fields) -> None:
        try:
            await message.edit(allowed_mentions=NOBODY, **fields)
        except discord.HTTPException as error:
            if error.code != _ARCHIVED or not isinstance(self._channel, discord.Thread):
                raise
            await self._channel.edit(archived=False)
            await message.edit(allowed_mentions=NOBODY, **fields)


class Answer:
    """One reply while it is written."""

    def __init__(
        self, bot: Kindling, channel: discord.abc.Messageable, speak: Speak, to: discord.MessageReference | None
    ) -> None:
        self._bot = bot
        self._channel = channel
        self._speak = speak
        self._to = to
        self._sparks: tuple[Hit, ...] = ()
        self._text = ""
        self._banned: tuple[str, ...] = ()
        self._whole: str | None = None  # the reply as it is in the end
        self._outlets: list[ChannelMessage] = []
        self._messages: list[LiveMessage] = []
        self._writing: asyncio.Task[None] | None = None
        self._typing = AsyncExitStack()

    async def give(self, person: str, group: str) -> None:
        """Wait for a turn, and give the reply. Raises `Busy` at once when there is no room to wait."""
        with self._bot.at_work.doing(self):
            with self._bot.turns.place(person, group) as place:
                async with self._typing:
                    with suppress(discord.HTTPException):
                        await self._typing.enter_async_context(self._channel.typing())
                    self._writing = asyncio.create_task(self._write(place), name="chat")
                    try:
                        await asyncio.wait({self._writing})
                    finally:
                        self._writing.cancel()
            self._whole = self._ending(self._writing)
            self._show()
            await self._land()

    def stop(self) -> None:
        """Stop writing; what is there stays."""
        if self._writing is not None:
            self._writing.cancel()

    async def _write(self, place: Place) -> None:
        pieces, self._banned = await self._speak()
        async with aclosing(pieces):
            async for piece in pieces:
                if not isinstance(piece, str):
                    self._sparks = piece
                    await place.come()
                    continue
                self._text += piece
                if self._gone or own_words(self._text) != self._text.strip():
                    break
                if len(self._text) >= ENOUGH:
                    await self._typing.aclose()
                    self._show()

    @property
    def _gone(self) -> bool:
        return bool(self._messages) and self._messages[0].gone

    def _said(self) -> str:
        return without_banned(own_words(self._text), self._banned)

    def _ending(self, writing: asyncio.Task[None]) -> str:
        """The whole reply, in whatever way it ended; empty when there is nothing to say and nobody to say it to."""
        said = self._said()
        if writing.cancelled():
            return f"{reply(said, self._sparks)}\n-# It was stopped there." if said else ""
        error = writing.exception()
        if error is None:
            return reply(said, self._sparks) if said else sparks_alone(self._sparks, NOTHING_SAID)
        if said:
            return f"{reply(said, self._sparks)}\n-# It ended there: {plain(line_for(error), 300)}"
        if isinstance(error, LanguageError) and self._sparks:
            return sparks_alone(self._sparks, f"{error} These sparks need no model.")
        return line_for(error)

    def _pages(self) -> list[str]:
        return split(reply(self._said(), self._sparks, finished=False) if self._whole is None else self._whole)

    def _show(self) -> None:
        """Let the messages follow, each at its pace."""
        count = len(self._pages())
        while len(self._messages) < count and not self._gone:
            first = not self._outlets
            outlet = ChannelMessage(
                self._channel, to=self._to if first else None, after=None if first else self._outlets[-1]
            )
            self._outlets.append(outlet)
            self._messages.append(LiveMessage(outlet))
        for number, message in enumerate(self._messages[:count]):
            message.show(partial(self._fields, number))

    def _fields(self, number: int) -> Fields:
        pages = self._pages()
        return {"content": pages[number] if number < len(pages) else "…"}

    async def _land(self) -> None:
        """Wait until all is shown; a message for which there is nothing left is taken back."""
        await asyncio.gather(*(message.land() for message in self._messages))
        for outlet in self._outlets[len(self._pages()) :]:
            await outlet.withdraw()
