"""Fair turns before the model: one bounded queue, in which people take turns rather than their requests.

A person who asks for five things waits behind a person who asks for one: the next turn goes to whoever has had a turn
least recently. Knows no Discord and no model; the clock does not matter to it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from knowledge.errors import KindlingError

Placed = Callable[[int], None]
"""Called with the place in the queue whenever it changes: 1 is next, 0 is at work."""


class Busy(KindlingError):
    """Too many are waiting, or this person or server has too much waiting already, or Kindling is stopping."""


STOPPING = "Kindling is being restarted: ask again in a minute."


class Place:
    """One request's place in the queue. `come` waits until it is its turn."""

    def __init__(self, person: str, group: str, placed: Placed) -> None:
        self.person = person
        self.group = group
        self.told = -1
        self._placed = placed
        self._ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def come(self) -> None:
        """Wait for the turn. Raises `Busy` when the queue was closed meanwhile."""
        if not await asyncio.shield(self._ready):
            raise Busy(STOPPING)

    def tell(self, place: int) -> None:
        """Say where in the queue this is, if that has changed."""
        if place != self.told:
            self.told = place
            self._placed(place)

    def decide(self, ready: bool) -> None:
        """It is its turn, or it never will be."""
        if not self._ready.done():
            self._ready.set_result(ready)


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
        self._waiting: dict[str, deque[Place]] = {}  # by person, in the order in which people are served
        self._working: set[Place] = set()
        self._people: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(len(queue) for queue in self._waiting.values())

    @property
    def working(self) -> int:
        """How many requests are at work."""
        return len(self._working)

    @contextmanager
    def place(self, person: str, group: str = "", placed: Placed = lambda place: None) -> Iterator[Place]:
        """A place in the queue, held until the block is left. Raises `Busy` at once when there is no room to wait.

        The block may prepare its work before it awaits `come()`: the queue moves on meanwhile.
        """
        self._admit(person, group)
        place = Place(person, group, placed)
        self._people[person] += 1
        self._groups[group] += 1
        self._waiting.setdefault(person, deque()).append(place)
        self._advance()
        try:
            yield place
        finally:
            self._leave(place)
            self._advance()

    @asynccontextmanager
    async def turn(self, person: str, group: str = "", placed: Placed = lambda place: None) -> AsyncIterator[None]:
        """Wait for a turn, have it, and give it back. Raises `Busy` at once when there is no room to wait."""
        with self.place(person, group, placed) as place:
            await place.come()
            yield

    def close(self) -> None:
        """Take no more requests and send away those that wait; those at work go on. May be called more than once."""
        self._closed = True
        waiting = [place for queue in self._waiting.values() for place in queue]
        self._waiting.clear()
        for place in waiting:
            place.decide(False)

    def _admit(self, person: str, group: str) -> None:
        if self._closed:
            raise Busy(STOPPING)
        if self._people[person] >= self._each:
            raise Busy("Your earlier request is still being worked on: wait for it, or stop it, then ask again.")
        if group and self._groups[group] >= self._group_each:
            raise Busy("This server has many requests waiting: try again in a minute.")
        if self.waiting >= self._longest:
            raise Busy("Very many people are asking right now: try again in a few minutes. /inspire works meanwhile.")

    def _leave(self, place: Place) -> None:
        for counter, name in ((self._people, place.person), (self._groups, place.group)):
            counter[name] -= 1
            if not counter[name]:
                del counter[name]
        self._working.discard(place)
        queue = self._waiting.get(place.person)
        if queue is not None and place in queue:
            queue.remove(place)
            if not queue:
                del self._waiting[place.person]

    def _advance(self) -> None:
        """Give out free turns, then tell everybody who waits where they stand."""
        while self._waiting and len(self._working) < self._at_once:
            person = next(iter(self._waiting))
            queue = self._waiting.pop(person)
            place = queue.popleft()
            if queue:
                self._waiting[person] = queue  # to the end of the line of people
            self._working.add(place)
            place.tell(0)
            place.decide(True)
        for number, place in enumerate(self._line(), start=1):
            place.tell(number)

    def _line(self) -> list[Place]:
        """All who wait, in the order in which they will be served."""
        queues = [deque(queue) for queue in self._waiting.values()]
        line: list[Place] = []
        while queues:
            line += [queue.popleft() for queue in queues]
            queues = [queue for queue in queues if queue]
        return line
