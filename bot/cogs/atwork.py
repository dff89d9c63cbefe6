"""What is at work right now, so that a Stop button finds it and a shutdown lets it finish; and what goes before work.

Knows no Discord.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Protocol, TypeVar


class Stoppable(Protocol):
    """Something long that can be ended early, keeping what it has."""

    def stop(self) -> None:
        """End early; what is there stays."""
        ...


T = TypeVar("T", bound=Stoppable)


class AtWork(Generic[T]):
    """A set of what is at work. Belongs to one event loop."""

    def __init__(self) -> None:
        self._jobs: dict[int, T] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._jobs.values()))

    @contextmanager
    def doing(self, job: T) -> Iterator[None]:
        """While the block runs, the job is at work."""
        self._jobs[id(job)] = job
        self._idle.clear()
        try:
            yield
        finally:
            del self._jobs[id(job)]
            if not self._jobs:
                self._idle.set()

    async def finish(self, within: float, stopping: float) -> None:
        """Wait until nothing is at work; after `within` seconds stop what is left, and wait for `stopping` more."""
        if await self._idle_in(within):
            return
        for job in self:
            job.stop()
        await self._idle_in(stopping)

    async def _idle_in(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class FrontDesk:
    """Answers before work: when many people ask at the same moment, all are answered before anything is begun for one.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._unanswered = 0
        self._door = asyncio.Lock()
        self._clear = asyncio.Event()
        self._clear.set()

    async def line_up(self) -> None:
        """Wait until those who came before have been let in, one in each turn of the event loop.

        Two hundred who come at once would else begin in the same turn, and until it is over nothing else could run: no
        edit, no heartbeat. As it is, those who came first are also answered first.
        """
        with self.answering():
            await self._through_the_door()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While the block runs, somebody waits for an answer."""
        self._unanswered += 1
        self._clear.clear()
        try:
            yield
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._clear.set()

    async def clear(self, within: float = 3.0) -> None:
        """Wait until nobody waits for an answer, for `within` seconds at the most; then work begins one by one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._unanswered:
                    await self._clear.wait()
        await self._through_the_door()

    async def _through_the_door(self) -> None:
        """One in each turn of the event loop, first come, first served."""
        async with self._door:
            await asyncio.sleep(0)
