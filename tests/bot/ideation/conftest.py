"""A small library of made-up snippets, a hash embedder and a scripted model, wired as `open_services` wires them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.ideation.candidates import Writer
from bot.ideation.engine import Engine
from bot.ideation.journal import Journal
from bot.ideation.library import STARTER, Library
from bot.ideation.prompts import Style
from bot.ideation.studio import Studio
from bot.worker import Worker
from knowledge.embedding import add_drafts
from knowledge.index import Indexes
from knowledge.retriever import Retriever
from knowledge.store import Store
from knowledge.types import Draft, Kind
from tests.bot.fakes import NOUNS, ScriptedModel
from tests.knowledge.fakes import HashEmbedder

PLACES = ("harbour", "bakery", "observatory", "orchestra", "glacier", "workshop")


def snippets(marker: str, count: int) -> list[Draft]:
    """Distinct drafts that all carry a marker word."""
    return [
        Draft(
            f"{NOUNS[n % len(NOUNS)].title()} of the {PLACES[n % len(PLACES)]}",
            f"In the {PLACES[n % len(PLACES)]} a {NOUNS[n % len(NOUNS)]} is kept with a {marker}craft{n} rope.",
            Kind.ARTEFACT,
            address=f"https://example.org/{marker}/{n}",
        )
        for n in range(count)
    ]


class Parts:
    """What a test needs: the studio, the model it scripts and the library behind it."""

    def __init__(self, studio: Studio, engine: Engine, model: ScriptedModel, library: Library) -> None:
        self.studio = studio
        self.engine = engine
        self.model = model
        self.library = library


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    worker, model = Worker("library"), ScriptedModel()

    def open_library() -> Library:
        store, embedder = Store(tmp_path / "kindling.db"), HashEmbedder(dimension=512)
        for space, count in ((STARTER, 60), ("guild:1", 8), ("guild:2", 8)):
            collection = store.collection(space, STARTER if space == STARTER else "own")
            source = store.source(collection, "test", space, space)
            add_drafts(store, embedder, source, snippets(space.replace(":", ""), count))
        indexes = Indexes(tmp_path / "indexes", store, embedder.name, embedder.dimension)
        return Library(worker, store, embedder, indexes, Retriever(store, embedder, indexes), Journal(store))

    library = await worker.run(open_library)
    writer = Writer(model, Style.BARE)
    engine = Engine(library, writer)
    yield Parts(Studio(library, engine, writer), engine, model, library)
    await library.close()
