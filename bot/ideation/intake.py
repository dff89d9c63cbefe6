"""Taking things into the library, beside everything else: on threads of its own, and never in anybody's way.

A long file takes minutes. Whoever reads one in gets a connection to the store and an embedder that nobody else waits
for, on a thread that the system runs when nothing else wants the processor; searches and sparks stay on the library's
thread and go on as ever.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.worker import Worker
from knowledge.embedder import Embedder, Progress
from knowledge.store import Store

T = TypeVar("T")

AT_ONCE = 4  # readings; they take turns with the embedder, batch by batch
_NICE = 10  # of the 19 steps by which a thread can stand back


class Intake:
    """Runs what reads things in. Nothing is opened before the first one comes."""

    def __init__(self, make_embedder: Callable[[], Embedder] | None = None) -> None:
        """`make_embedder` gives an embedder of its own, like the library's; without it, the library's is borrowed."""
        self._make_embedder = make_embedder
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, "intake", initializer=_stand_back)

    async def run(self, reading: Callable[[Store, Embedder], T], path: Path, lent: Embedder, lender: Worker) -> T:
        """Run `reading(store, embedder)` on a thread of the intake and give what it returns, or raise what it raises.

        Args:
            path: the store's. lent and lender: the library's embedder and its thread, for when there is no other.
        """

        def call() -> T:
            embedder = self._turns(lent, lender)
            with Store(path) as store:
                return reading(store, embedder)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def close(self) -> None:
        """Wait for what is being read in, and take no more."""
        await asyncio.to_thread(self._threads.shutdown, wait=True)

    def _turns(self, lent: Embedder, lender: Worker) -> Embedder:
        if self._make_embedder is None:
            return Borrowed(lent, lender)
        with self._lock:
            if self._embedder is None:
                self._embedder = self._make_embedder()
        return _InTurns(self._embedder, self._lock)


class _InTurns:
    """An embedder that several threads use, one call at a time."""

    def __init__(self, embedder: Embedder, lock: threading.Lock) -> None:
        self._embedder = embedder
        self._lock = lock
        self.name = embedder.name
        self.dimension = embedder.dimension

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """As the embedder does."""
        with self._lock:
            return self._embedder.embed(texts, progress)


class Borrowed:
    """The library's embedder for another thread: it embeds on the library's thread, in turn with everything else."""

    def __init__(self, embedder: Embedder, worker: Worker) -> None:
        self._worker = worker
        self._embedder = embedder
        self.name = embedder.name
        self.dimension = embedder.dimension

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """As the library's embedder does."""
        return self._worker.submit(self._embedder.embed, texts, progress).result()


def _stand_back() -> None:
    """Let this thread, and those that it starts, run after all others. Only Linux knows priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
