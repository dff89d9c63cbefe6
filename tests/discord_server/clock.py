"""The server's time, which flows with real time and which a test can move, and the ids that carry it.

Everything that Discord measures for a bot (3 seconds to acknowledge, 15 minutes of a token, an hour until a message is
old, rate-limit windows) goes by this clock. The gateway's heartbeats alone go by real time: a moved clock would
otherwise cut every connection.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000
"""The first second of 2015, from which snowflakes count (Discord's reference, "Snowflakes")."""


class Clock:
    """Seconds since 1970 that run with real time, plus whatever a test added."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._moved = asyncio.Event()

    def now(self) -> float:
        """The current time in seconds since 1970, never running backwards."""
        return time.monotonic() + self._offset

    def advance(self, *, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0) -> None:
        """Move time forward; everything that waits on this clock wakes and looks again."""
        ahead = seconds + 60 * minutes + 3600 * hours + 86400 * days
        if ahead < 0:
            raise ValueError("the clock only moves forward")
        self._offset += ahead
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until this clock has gone on by so many seconds, by itself or because a test moved it."""
        due = self.now() + seconds
        while (left := due - self.now()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)


def stamp(seconds: float) -> str:
    """A time as Discord writes it: ISO 8601 with microseconds and offset."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


class Snowflakes:
    """Ids that grow and carry the millisecond they were made in, as Discord's do."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """A new id, greater than every one before it."""
        made = (int(self._clock.now() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last = max(made, self._last + 1)
        return self._last
