"""The only place that wires anything: settings in, a studio out.

Tests pass their own embedder and model; everything else calls `open_services` with the settings alone. Neither the
library nor the model is touched from the event loop: each has its thread. The model is loaded when it is first needed
or when `warm` asks for it, so that search and sparks never wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from bot.ideation.candidates import Writer
from bot.ideation.engine import Engine
from bot.ideation.intake import Intake
from bot.ideation.journal import Journal
from bot.ideation.library import Library
from bot.ideation.prompts import Style
from bot.ideation.studio import Studio
from bot.language.base import LanguageModel
from bot.settings import Settings
from bot.uncollected import UNCOLLECTED
from bot.worker import Worker
from knowledge.embedder import Embedder
from knowledge.errors import KindlingError
from knowledge.fetching import Allowed, Fetcher

Progress = Callable[[str, float], None]
EMBEDDED = "embedded"

log = logging.getLogger(__name__)


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a face needs."""

    settings: Settings
    library: Library
    studio: Studio
    model: LanguageModel

    def warm(self, begun: asyncio.Task[bool] | None = None) -> asyncio.Task[None]:
        """Begin to load the model now, or wait for what has `begun`; then let queries be embedded as fast as it allows.

        Should that fail, whoever uses the model first is told.
        """

        async def load() -> None:
            if await (begun or _loaded(self.model)):
                await asyncio.to_thread(_quicken, self.library.embedder, self.model)

        return asyncio.create_task(load(), name="warm the model")


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    progress: Progress = silent,
    embedder: Callable[[], Embedder] | None = None,
    model: LanguageModel | None = None,
    warm: bool = False,
) -> AsyncIterator[Services]:
    """Open the library and wire the studio. Raises `KindlingError`; what was opened is closed on the way out.

    With `warm` the model is loaded meanwhile, for whoever will need it at once.
    """
    fetcher = Fetcher(Allowed(settings.fetch_allow.split(",")))
    language_model = model or make_model(settings, progress)
    early = asyncio.create_task(_loaded(language_model), name="load the model") if warm else None
    worker = Worker("library")
    try:
        with UNCOLLECTED:
            library = await worker.run(_open_library, settings, worker, embedder, progress)
    except BaseException:
        if early is not None:
            early.cancel()
        await language_model.close()
        await worker.close()
        raise

    writer = Writer(language_model, style_for(settings))
    engine = Engine(
        library, writer, ratio=settings.candidates, rounds=settings.rounds, temperature=settings.temperature
    )
    studio = Studio(library, engine, writer, fetcher=fetcher, every=timedelta(minutes=settings.refresh or 60))
    services = Services(settings, library, studio, language_model)
    warming = services.warm(early) if early else None
    try:
        yield services
    finally:
        if warming is not None:
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming
        await studio.sources.close()
        await language_model.close()
        await library.close()


async def _loaded(model: LanguageModel) -> bool:
    """Load the model; whether that went well. Whoever uses it next is told why not."""
    try:
        await model.load()
    except KindlingError:
        return False
    return True


def _quicken(embedder: Embedder, model: LanguageModel) -> None:
    """Let queries be embedded by PyTorch, where the model has loaded PyTorch anyway.

    A third of a second, beside the library's thread: until it is done, queries are embedded as before.
    """
    from bot.language.bert import torch_encoder
    from bot.language.local import LocalModel
    from knowledge.embedded import EmbeddedEmbedder

    if isinstance(model, LocalModel) and isinstance(embedder, EmbeddedEmbedder):
        try:
            embedder.use(torch_encoder)
        except (RuntimeError, MemoryError):  # no memory, or operators that this PyTorch lacks: it works without
            log.warning("queries are embedded without PyTorch", exc_info=True)


def _open_library(
    settings: Settings, worker: Worker, make_embedder: Callable[[], Embedder] | None, progress: Progress
) -> Library:
    """Open store, embedder, starter collection, indexes and journal, on the worker's thread."""
    from knowledge.embedded import open_embedder
    from knowledge.embedding import embed_missing
    from knowledge.index import Indexes
    from knowledge.retriever import Retriever
    from knowledge.starter import load_starter
    from knowledge.store import Store

    store = Store(settings.data_dir / "kindling.db")
    try:
        embedder = make_embedder() if make_embedder else open_embedder(settings.embedder)
        load_starter(store, embedder, lambda done, of: progress("embedding the starter collection", done / of))
        for collection in store.collections():  # nothing to do unless the embedder was changed
            embed_missing(store, embedder, collection, lambda done, of: progress("embedding the library", done / of))
        indexes = Indexes(settings.data_dir / "indexes", store, embedder.name, embedder.dimension)
        retriever, journal = Retriever(store, embedder, indexes), Journal(store)
        intake = Intake(make_embedder or (lambda: open_embedder(settings.embedder)))
        return Library(worker, store, embedder, indexes, retriever, journal, intake)
    except BaseException:
        store.close()
        raise


def make_model(settings: Settings, progress: Progress = silent) -> LanguageModel:
    """The language model that the settings name. It loads when it is first needed. Raises `LanguageError`."""
    if settings.server:
        from bot.language.remote import RemoteModel

        key = settings.server_key.get_secret_value() if settings.server_key else None
        return RemoteModel(settings.server, settings.model, key=key, timeout=settings.timeout)
    from bot.language.embedded import adapter_for, embedded_model
    from bot.language.local import local_model

    models = settings.data_dir / "models"
    if settings.model == EMBEDDED:
        adapter = adapter_for(settings.data_dir)
        return embedded_model(
            models, adapter=adapter, device=settings.device, timeout=settings.timeout, progress=progress
        )
    return local_model(settings.model, models, device=settings.device, timeout=settings.timeout, progress=progress)


def style_for(settings: Settings) -> Style:
    """How prompts must explain to the model: as the settings say, or by which model it is."""
    if settings.prompts != "auto":
        return Style(settings.prompts)
    if settings.server or settings.model != EMBEDDED:
        return Style.TOLD
    from bot.language.embedded import adapter_for

    return Style.BARE if adapter_for(settings.data_dir) else Style.SHOWN
