"""Not too many requests to one host: each waits its turn. Safe for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LONGEST_GAP = 10.0  # seconds: what a site may ask for between two requests before it is more than a feed needs
_HOSTS = 1_000  # remembered


class Pace:
    """Lets requests to the same host follow each other at `gap` seconds at the closest."""

    def __init__(
        self, gap: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._gap = gap
        self._clock = clock
        self._sleep = sleep
        self._free: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str, gap: float | None = None) -> None:
        """Wait until it is this request's turn. gap: in seconds, where it is another than usual; ten at the most."""
        gap = self._gap if gap is None else min(gap, LONGEST_GAP)
        with self._lock:
            now = self._clock()
            if len(self._free) > _HOSTS:
                self._free = {name: free for name, free in self._free.items() if free > now}
            turn = max(now, self._free.get(host, now))
            self._free[host] = turn + gap
        if turn > now:
            self._sleep(turn - now)
