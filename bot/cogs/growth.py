"""A board that grows: events of the studio in, paced edits of its messages out; stoppable, and finished in every case.

Whatever happens (a stop, a model that fails, a message that somebody deletes), the ideas are in the journal before
they are shown, the board's last line says how it ended, and nothing is raised to whoever began it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import discord

from bot.cogs.live import NOBODY, Fields, InteractionMessage, LiveMessage
from bot.cogs.refusal import line_for, tell
from bot.cogs.spaces import Where, person_of, space_of
from bot.ideation.events import Begun, Event, Finished, Found, Progress, Ready
from bot.ideation.journal import Entry
from bot.ideation.studio import Studio
from bot.ideation.types import Brief
from bot.ui.board import Board, pages
from bot.ui.layout import Page

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

WARMING = "Warming up: Kindling has just started. Your ideas come by themselves."
LOOKING = "Looking for sparks…"
MACHINE_MADE = "Machine-made; you are the author."

Turn = Callable[[], Awaitable[None]]
"""Waits for the request's turn before the model."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall grow.

    `brief` is what its ideas are for, as far as it is known before the studio has begun, and `heading` makes the
    board's first line of it; `make` gives the studio's events and awaits the turn before it asks the model; `verbs`
    says whether the finished board offers the session's verbs.
    """

    brief: Brief
    heading: Callable[[Brief], str]
    where: Where
    make: Callable[[Studio, Turn], AsyncGenerator[Event, None]]
    verbs: bool = True


async def sparks_first(events: AsyncGenerator[Event, None], turn: Turn) -> AsyncGenerator[Event, None]:
    """The events, with the turn awaited once the sparks are found: they are shown while one waits."""
    async with aclosing(events):
        async for event in events:
            yield event
            if isinstance(event, Found):
                await turn()


class GrowingBoard:
    """One board while it grows."""

    def __init__(self, bot: Kindling, interaction: discord.Interaction, wish: Wish) -> None:
        self._bot = bot
        self._interaction = interaction
        self._wish = wish
        self.run_id = secrets.token_hex(5)
        self.owner = interaction.user
        self._place = 0
        self._progress: Progress | None = None
        self._finished: Finished | None = None
        self._brief = wish.brief
        self._board = Board(wish.heading(wish.brief), "", run_id=self.run_id)
        self._outlets: list[InteractionMessage] = []
        self._messages: list[LiveMessage] = []
        self._first_page = partial(self._fields, 0)
        self._generating: asyncio.Task[None] | None = None

    @property
    def message_ids(self) -> list[int]:
        """The messages that the board is on."""
        return [outlet.message_id for outlet in self._outlets if outlet.message_id is not None]

    async def grow(self) -> None:
        """Answer the interaction with the board and let it grow to its end. Raises `Busy` before the answer only."""
        asker = person_of(self._interaction.user)
        group = space_of(self._interaction.guild_id, self._interaction.user)
        with self._bot.at_work.doing(self):
            with self._bot.turns.place(asker, group, self._placed) as place:
                with self._bot.desk.answering():
                    await self._answer()
                self._generating = asyncio.create_task(self._generate(place.come), name=f"board {self.run_id}")
                try:
                    await asyncio.wait({self._generating})
                finally:
                    self._generating.cancel()
            await self._finish(self._ending(self._generating))

    def stop(self) -> None:
        """Stop writing; what is there stays."""
        if self._generating is not None:
            self._generating.cancel()

    def recount(self, entries: Sequence[Entry]) -> None:
        """Show the votes and keeps that these ideas have now."""
        changed = {entry.idea.id: entry for entry in entries}
        self._show(entries=tuple(changed.get(entry.idea.id, entry) for entry in self._board.entries))

    async def _answer(self) -> None:
        fields = self._fields(0)
        private = self._wish.where.private
        message_id = await self._respond(fields["view"], private)
        outlet = InteractionMessage(self._interaction, message_id, private=private)
        self._outlets.append(outlet)
        self._messages.append(LiveMessage(outlet, sent=fields))

    async def _respond(self, view: Page, private: bool) -> int | None:
        """Send the first page as the answer, in the place of "is thinking", or beside what was pressed."""
        interaction = self._interaction
        match interaction.response.type:
            case None:
                sent = await interaction.response.send_message(view=view, ephemeral=private, allowed_mentions=NOBODY)
                return sent.message_id
            case discord.InteractionResponseType.deferred_channel_message:
                return (await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)).id
            case _:
                followup = interaction.followup
                return (await followup.send(view=view, ephemeral=private, wait=True, allowed_mentions=NOBODY)).id

    async def _generate(self, turn: Turn) -> None:
        await self._bot.desk.clear()
        studio = await self._bot.studio()
        async with aclosing(self._wish.make(studio, turn)) as events:
            async for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case Begun(session):
                self._brief = session.brief
                session_id = session.id if self._wish.verbs else None
                self._show(session_id=session_id, heading=self._wish.heading(session.brief))
            case Found(sparks):
                self._show(sparks=sparks)
            case Progress():
                self._progress = event
                self._show()
            case Ready(idea):
                self._show(entries=(*self._board.entries, Entry(idea, self._brief, (), 0, 0)))
            case Finished():
                self._finished = event

    def _placed(self, place: int) -> None:
        """The queue has moved: with many in it this is called very often, so it does next to nothing."""
        self._place = place
        if self._messages:
            self._messages[0].show(self._first_page, urgent=place == 0)

    def _status(self) -> str:
        """The last line while the board grows."""
        if self._progress is not None:
            return f"Writing: {self._progress.written} of {self._progress.of} drafts read."
        if not self._bot.warm:
            return WARMING
        if self._place > 0:
            return f"In the queue for the model: place {self._place}."
        return "Writing…" if self._board.sparks or not self._wish.verbs else LOOKING

    def _ending(self, generating: asyncio.Task[None]) -> str:
        """The last line when it has ended, in whatever way."""
        count = len(self._board.entries)
        kept = f" {_ideas(count)} {'is' if count == 1 else 'are'} kept." if count else ""
        if generating.cancelled():
            return f"Stopped.{kept}"
        if (error := generating.exception()) is not None:
            return f"{line_for(error)}{kept}"
        if self._finished is None:
            return MACHINE_MADE
        drafts, seconds = self._finished.written, self._finished.seconds.total
        return f"{_ideas(count)}, the best of {drafts} drafts, in {seconds:.0f} s. {MACHINE_MADE}"

    async def _finish(self, status: str) -> None:
        self._show(run_id=None, status=status)
        await asyncio.gather(*(message.land() for message in self._messages))
        if any(message.gone for message in self._messages):
            count = len(self._board.entries)
            kept = f"/ideas list shows what it had: {_ideas(count)}." if count else "Ask again when you like."
            await tell(self._interaction, f"The board could not be shown to its end. {kept}")

    def _show(self, *, urgent: bool = True, **changes: Any) -> None:
        """Change the board, and let its messages follow at their pace."""
        self._board = replace(self._board, **changes)
        if not self._messages:
            return  # not answered yet: the answer shows it
        count = len(pages(self._board)) if self._board.entries else 1
        while len(self._messages) < count and not self._messages[0].gone:
            outlet = InteractionMessage(self._interaction, None, private=self._wish.where.private)
            self._outlets.append(outlet)
            self._messages.append(LiveMessage(outlet))
        for number, message in enumerate(self._messages[:count]):
            message.show(partial(self._fields, number), urgent=urgent)

    def _fields(self, number: int) -> Fields:
        board = self._board
        if board.run_id is not None:  # its end has a status of its own
            board = replace(board, status=self._status())
        return {"view": pages(board)[number]}


def _ideas(count: int) -> str:
    return "1 idea" if count == 1 else f"{count} ideas"
