"""The end of a fetch. A server that sends a byte now and then never times out, so a clock cuts its connection.

Sockets have a time limit for each step and none for the whole; this is the one for the whole, from resolving the name
to the last byte.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

from knowledge.errors import FetchError

T = TypeVar("T")


class Deadline:
    """So many seconds from now. Used with `with`: what it watches is let go at the end.

    Whoever reads from a watched connection must `check` at its end, for one that was cut off looks like one that ended.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._why = f"took longer than {seconds:.0f} seconds"
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._watched:
                watched.close()
            self._watched.clear()

    def left(self) -> float:
        """Seconds left. Raises FetchError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchError(self._why)
        return left

    def check(self) -> None:
        """Raise FetchError when the time is over."""
        self.left()

    def watch(self, connection: socket.socket) -> None:
        """Cut this connection off when the time is over. A second handle is kept: TLS takes over the first."""
        with self._lock:
            self._watched.append(connection.dup())
        if time.monotonic() > self._end:
            self._cut()

    def end(self, why: str) -> None:
        """The time is over now; `why` is what `check` says then."""
        self._why, self._end = why, 0.0
        self._cut()

    def bounded(self, function: Callable[[], T]) -> T:
        """What `function`, which knows no time limit, returns or raises; FetchError when the time is over before."""
        outcome: list[Callable[[], T]] = []

        def call() -> None:
            try:
                value = function()
            except BaseException as error:
                caught = error

                def fail() -> T:
                    raise caught

                outcome.append(fail)
            else:
                outcome.append(lambda: value)

        thread = threading.Thread(target=call, daemon=True, name="resolve a name")
        thread.start()
        thread.join(self.left())
        if not outcome:
            raise FetchError(self._why)
        return outcome[0]()

    def _cut(self) -> None:
        with self._lock:
            for watched in self._watched:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
