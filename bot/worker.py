"""One named thread that owns what blocks: a database connection, an index, a model.

What a worker runs, it runs one after the other in the order given, and always on the same thread; so whatever belongs
to that thread (an SQLite connection, a model's state) needs no lock. The event loop never waits for it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """A thread called `name` that runs functions in order, for coroutines that must not block.

    The thread starts with the first function. It is no daemon: at the end of the program, what was handed in before is
    finished first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `fn` on the worker's thread and return what it returns, or raise what it raises.

        Cancelling the task that waits drops `fn` if it has not begun; once begun it runs to its end unheard, and the
        worker goes on with the next one. Raises RuntimeError when the worker is closed.
        """
        return await asyncio.wrap_future(self.submit(fn, *args, **kwargs))

    def submit(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand `fn` in from any thread, the worker's own included, without waiting. Raises RuntimeError when closed."""
        context = contextvars.copy_context()

        def call() -> T:
            try:
                return context.run(fn, *args, **kwargs)
            except StopIteration as error:  # asyncio refuses to carry it, and the waiting task would wait for ever
                raise RuntimeError(f"{fn!r} raised StopIteration") from error

        return self._executor.submit(call)

    async def close(self) -> None:
        """Refuse new functions, finish those handed in, and end the thread. May be called more than once."""
        await asyncio.to_thread(self._executor.shutdown, wait=True)
