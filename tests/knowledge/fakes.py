"""Fakes for what is slow or seldom goes wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import Progress
from knowledge.store import Store
from knowledge.types import Collection, Draft, Kind

DIMENSION = 8
EMBEDDER = "an embedder"


class HashEmbedder:
    """An embedder of no model: a text is the sum of its words, each a direction of its own. Shared words mean near.

    `seen` are all texts it was given, so that a test can tell what was embedded again.
    """

    def __init__(self, name: str = "hash", dimension: int = 64) -> None:
        self.name = name
        self.dimension = dimension
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        self.seen += texts
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            # A little of the text as a whole, so that no text is nothing and few are alike.
            vectors[row] = 0.1 * self._direction(text)
            for word in text.lower().split():
                vectors[row] += self._direction(word.strip(".,;:!?"))
        if progress is not None and texts:
            progress(len(texts), len(texts))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @cache  # noqa: B019 (a handful of fakes, and they end with the tests)
    def _direction(self, word: str) -> NDArray[np.float32]:
        digest = hashlib.sha256(f"{self.name}:{word}".encode("utf-8", "replace")).digest()
        seed = np.frombuffer(digest, np.uint32)
        return np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)


def add(store: Store, collection: Collection, drafts: Sequence[Draft], address: str = "a.txt") -> list[int]:
    """Put drafts with random vectors of length 8, of an embedder of no name, into a source; returns their ids."""
    source = store.source(collection, "file", address, address)
    return list(store.add(source, drafts, unit_rows(len(drafts), DIMENSION, 0), EMBEDDER).ids)


def draft(text: str, title: str = "", **rest: object) -> Draft:
    """A draft of which only the text matters."""
    return Draft(title, text, **rest)  # type: ignore[arg-type]


def unit_rows(count: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Random vectors of length 1, shape (count, dimension)."""
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


DRAFTS = (
    Draft("Harbour Lights", "Fishermen hang lanterns along the harbour wall.", Kind.PRACTICE, ("light", "sea"), "1957"),
    Draft(
        "Night Market",
        "A market that opens at midnight and sells by lantern.",
        Kind.EVENT,
        ("Food", "light"),
        "2024-03",
    ),
    Draft("Paper Trains", "Folded paper carriages run on a table of string.", Kind.ARTEFACT, ("paper",), "2024-03-09"),
    Draft("Echo Map", "A map that can only be read by clapping hands.", Kind.TECHNIQUE, ("sound",), None),
)
