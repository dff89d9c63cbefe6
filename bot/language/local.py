"""A language model on this machine, run by one named thread off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from bot.language.base import Continuation, Message, Piece
from bot.language.conversion import Progress, silent
from bot.language.decoder import Decoder
from bot.language.engine import Engine, Limits
from bot.language.errors import LanguageError, ModelTimeout
from bot.language.loading import Loaded, find, load
from bot.language.plain import PlainEngine
from bot.language.requests import Deliver, make_request
from bot.uncollected import UNCOLLECTED
from bot.worker import Worker

AHEAD = 3
"""Answers that go ahead of their request's others: fewer might all be refused by whoever reads them."""

FindFolder = Callable[[Progress], Path]
"""Returns the folder to load, having fetched or converted what is needed. Called on the engine's thread."""


class LocalModel:
    """A model on this machine behind the LanguageModel interface.

    Nothing is loaded before `load` or the first `stream`. All of the model's work is done on one worker thread, one
    engine step at a time; requests join and leave between steps.
    """

    def __init__(
        self,
        name: str,
        folder: FindFolder,
        *,
        device: str = "auto",
        timeout: float | None = 300.0,
        limits: Limits | None = None,
        progress: Progress = silent,
    ) -> None:
        """`timeout` is how many seconds a request may take, once the model is loaded (None: any).

        By default a few answers of each request go ahead of the others: what people wait for is the first.
        """
        self.name = name
        self._folder = folder
        self._device = device
        self._timeout = timeout
        self._limits = limits or Limits(ahead=AHEAD)
        self._progress = progress
        self._worker = Worker("language")
        self._closing = threading.Event()
        self._parts: tuple[Loaded, Engine | PlainEngine] | None = None
        self._turning = False  # whether a turn of the engine is queued on the worker; touched on its thread only

    async def load(self) -> None:
        """Find the model and load it, if that has not been done yet. Raises LanguageError."""
        if self._closing.is_set():
            raise _closed()
        await self._worker.run(self._ready)

    async def stream(
        self, shared: Sequence[Message], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        """See LanguageModel.stream. Raises PromptTooLong, ModelTimeout, and what loading raises."""
        if not continuations:
            return
        await self.load()
        loop = asyncio.get_running_loop()
        deadline = None if self._timeout is None else loop.time() + self._timeout
        outbox: asyncio.Queue[list[Piece] | LanguageError] = asyncio.Queue()
        cancelled = threading.Event()

        def deliver(news: list[Piece] | LanguageError) -> None:
            try:
                loop.call_soon_threadsafe(outbox.put_nowait, news)
            except RuntimeError:  # the loop has been closed, and nobody listens any more
                cancelled.set()

        unfinished = len(continuations)
        try:
            await self._worker.run(self._begin, shared, continuations, deliver, cancelled)
            while unfinished:
                try:
                    async with asyncio.timeout_at(deadline):
                        news = await outbox.get()
                except TimeoutError:
                    raise ModelTimeout(f"The language model took longer than {self._timeout:g} s. Try again.") from None
                if isinstance(news, LanguageError):
                    raise news
                for piece in news:
                    unfinished -= piece.ending is not None
                    yield piece
        finally:
            cancelled.set()

    async def close(self) -> None:
        """Drop what runs, free the model and end its thread. A conversion on the way is broken off."""
        if self._closing.is_set():
            return
        self._closing.set()
        await self._worker.run(self._shut)
        await self._worker.close()

    # What follows runs on the worker's thread.

    def _ready(self) -> tuple[Loaded, Engine | PlainEngine]:
        if self._closing.is_set():
            raise _closed()
        if self._parts is None:
            folder = self._folder(self._tell)  # may take minutes: a conversion, a download
            with UNCOLLECTED:
                loaded = load(folder, self._device)
                self._parts = loaded, make_engine(loaded, self._limits)
        return self._parts

    def _tell(self, stage: str, fraction: float) -> None:
        if self._closing.is_set():
            raise _closed()
        self._progress(stage, fraction)

    def _begin(
        self,
        shared: Sequence[Message],
        continuations: Sequence[Continuation],
        deliver: Deliver,
        cancelled: threading.Event,
    ) -> None:
        loaded, engine = self._ready()
        engine.add(make_request(loaded.template, shared, continuations, loaded.window, deliver, cancelled))
        if not self._turning:
            self._turning = True
            self._worker.submit(self._turn)

    def _turn(self) -> None:
        """One step, and the next one at the end of the worker's queue: what came in meanwhile goes first."""
        if self._parts is not None and (engine := self._parts[1]).busy:
            engine.step()
            self._worker.submit(self._turn)
        else:
            self._turning = False

    def _shut(self) -> None:
        if self._parts is not None:
            self._parts[1].abandon(_closed())
            self._parts = None


def _closed() -> LanguageError:
    return LanguageError("The language model is closed.")


def make_engine(loaded: Loaded, limits: Limits | None = None) -> Engine | PlainEngine:
    """The fast engine for a model that runs on a decoder, else the plain one."""
    if isinstance(loaded.model, Decoder):
        return Engine(loaded, loaded.model, limits)
    return PlainEngine(loaded)


def local_model(source: str, models_dir: Path, **options: Any) -> LocalModel:
    """The model that `source` means: a folder, a GGUF file, or a name on the hub. `options` are those of LocalModel.

    Finding, downloading, converting and loading happen at its first use, as do their errors.
    """
    path = Path(source).expanduser()
    name = path.name if path.exists() else source
    return LocalModel(name, lambda progress: find(source, models_dir, progress), **options)
