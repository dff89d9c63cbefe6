"""No garbage collection while libraries are imported: there is little to collect, and looking takes a third more.

Several threads may load at a time; collection goes on when the last of them is done. What is there by then stays for
good, nearly all of it, so it is left out of later collections: they would take a tenth of a second each, in a bot that
people wait for.
"""

from __future__ import annotations

import gc
import threading
from contextlib import AbstractContextManager
from types import TracebackType


class _Uncollected(AbstractContextManager[None]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loading = 0
        self._collected = True  # whether garbage was collected before

    def __enter__(self) -> None:
        with self._lock:
            if not self._loading:
                self._collected = gc.isenabled()
                gc.disable()
            self._loading += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._loading -= 1
            if self._loading or not self._collected:
                return
            if kind is None:
                gc.freeze()
            gc.enable()


UNCOLLECTED = _Uncollected()
"""Within `with UNCOLLECTED:`, Python collects no garbage. For seconds, not for minutes."""
