"""Waiting until something is so: everything that happens in the server wakes those who wait, and they look again."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Changes:
    """A bell that rings whenever the server's state changed."""

    def __init__(self) -> None:
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def until(self, look: Callable[[], T | None], within: float, otherwise: Callable[[], str]) -> T:
        """What ``look`` finds, as soon as it finds anything.

        ``within`` is in real seconds; when it has passed, ``AssertionError`` says what ``otherwise`` returns, so
        that a failed test shows what was there instead.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while True:
            bell = self._bell
            found = look()
            if found is not None:
                return found
            left = end - loop.time()
            if left <= 0:
                raise AssertionError(otherwise())
            try:
                await asyncio.wait_for(bell.wait(), left)
            except TimeoutError:
                continue
