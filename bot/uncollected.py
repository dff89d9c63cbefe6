"""No garbage collection while libraries are loaded: there is nothing to collect, and to look for it takes a third more.

Several threads may load at a time; collection goes on when the last of them is done. What is there by then stays for
good, so it is left out of later collections too.
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

    def __enter__(self) -> None:
        with self._lock:
            self._loading += 1
            gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._loading -= 1
            if not self._loading:
                gc.freeze()
                gc.enable()


UNCOLLECTED = _Uncollected()
"""Within `with UNCOLLECTED:`, Python collects no garbage."""
