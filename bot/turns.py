"""Fair turns before the model: one bounded queue, in which people take turns rather than their requests.

A person who asks for five things waits behind a person who asks for one: the next turn goes to whoever has had a turn
least recently. Knows no Discord and no model; the clock does not matter to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from knowledge.errors import KindlingError

Placed = Callable[[int], None]
"""Called with the place in the queue whenever it changes: 1 is next, 0 is at work."""


class Busy(KindlingError):
    """Too many are waiting, or this person or server has too much waiting already."""


@dataclass(eq=False, slots=True)
class _Waiter:
    group: str
    placed: Placed
    ready: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turns:
    """Lets `at_once` requests work at a time; the rest wait, at most `longest` of them in all.

    `each` is how many requests one person may have waiting or at work, `group_each` how many one group (a server) may.
    Belongs to one event loop.
    """

    def __init__(self, at_once: int = 2, longest: int = 250, each: int = 2, group_each: int = 200) -> None:
        self._at_once = at_once
        self._longest = longest
        self._each = each
        self._group_each = group_each
        self._waiting: dict[str, deque[_Waiter]] = {}  # by person, in the order in which people are served
        self._working: list[tuple[str, str]] = []

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def turn(self, person: str, group: str = "", placed: Placed = lambda place: None) -> AsyncIterator[None]:
        """Wait for a turn, have it, and give it back. Raises `Busy` at once when there is no room to wait."""
        self._admit(person, group)
        waiter = _Waiter(group, placed)
        self._waiting.setdefault(person, deque()).append(waiter)
        self._advance()
        try:
            await waiter.ready
        except asyncio.CancelledError:
            if waiter.ready.done() and not waiter.ready.cancelled():
                self._working.remove((person, group))
            else:
                self._leave(person, waiter)
            self._advance()
            raise
        try:
            yield
        finally:
            self._working.remove((person, group))
            self._advance()

    def _admit(self, person: str, group: str) -> None:
        mine = len(self._waiting.get(person, ())) + sum(one == person for one, _ in self._working)
        if mine >= self._each:
            raise Busy("Your earlier request is still being worked on: wait for it, or stop it, then ask again.")
        ours = sum(waiter.group == group for queue in self._waiting.values() for waiter in queue)
        ours += sum(one == group for _, one in self._working)
        if group and ours >= self._group_each:
            raise Busy("This server has many requests waiting: try again in a minute.")
        if self.waiting >= self._longest:
            raise Busy("Very many people are asking right now: try again in a few minutes. /inspire works meanwhile.")

    def _leave(self, person: str, waiter: _Waiter) -> None:
        queue = self._waiting[person]
        queue.remove(waiter)
        if not queue:
            del self._waiting[person]

    def _advance(self) -> None:
        """Give out free turns, then tell everybody who waits where they stand."""
        while self._waiting and len(self._working) < self._at_once:
            person = next(iter(self._waiting))
            queue = self._waiting.pop(person)
            waiter = queue.popleft()
            if queue:
                self._waiting[person] = queue  # to the end of the line of people
            self._working.append((person, waiter.group))
            waiter.placed(0)
            waiter.ready.set_result(None)
        for place, waiter in enumerate(self._line(), start=1):
            waiter.placed(place)

    def _line(self) -> list[_Waiter]:
        """All who wait, in the order in which they will be served."""
        queues = [deque(queue) for queue in self._waiting.values()]
        line: list[_Waiter] = []
        while queues:
            line += [queue.popleft() for queue in queues]
            queues = [queue for queue in queues if queue]
        return line
