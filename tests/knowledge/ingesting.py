"""What the processes of test_crash do: ingest a folder with the hash embedder, keep the index, report every batch."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import Progress
from knowledge.index import Index
from knowledge.ingest import BatchStored, Event, Report, ingest
from knowledge.store import Store
from knowledge.types import Collection
from tests.knowledge.fakes import HashEmbedder


class TextEmbedder(HashEmbedder):
    """Gives each text a direction of its own, quickly: nothing here asks what is near to what."""

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        vectors = np.stack([self._direction(text) for text in texts])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


EMBEDDER = TextEmbedder()


def collection_of(store: Store) -> Collection:
    return store.collection("terminal", "notes")


def index_of(store: Store, folder: Path) -> Index:
    return Index(folder / "index", store, collection_of(store), EMBEDDER.name, EMBEDDER.dimension)


def ingest_folder(data: Path, notes: Path, reports: Connection | None = None) -> Report:
    """Ingest `notes` into the library in the folder `data`; send how many snippets were added, after each batch.

    The index is caught up and written after each batch too, so that a kill may hit that as well.
    """
    with Store(data / "library.db") as store:
        index = index_of(store, data)

        def tell(event: Event) -> None:
            if isinstance(event, BatchStored):
                if reports:
                    reports.send(event.added)
                index.refresh()
                index.save()

        report = ingest(store, EMBEDDER, collection_of(store), [notes], tell)
        index.refresh()
        index.save()
        return report


def run(data: Path, notes: Path, reports: Connection) -> None:
    """`ingest_folder` as a process: last, it sends the whole report."""
    reports.send(ingest_folder(data, notes, reports))
    reports.close()
