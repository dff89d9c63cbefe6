"""An embedder that keeps what it has embedded in a file: the bench embeds the library once, not at every run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.yardstick import Vectors
from knowledge.embedder import Embedder

MANY = 500
"""So many texts are embedded at a time, and the file is written after each full batch."""


class Remembered:
    """`embed` as the embedder's own; `save` writes what is new. The file's name says which embedder it belongs to."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self._path = folder / f"{hashlib.sha256(embedder.name.encode()).hexdigest()[:12]}.npz"
        self._known: dict[str, Vectors] = {}
        if self._path.exists():
            with np.load(self._path) as file:
                self._known = dict(zip(file["keys"].tolist(), file["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32 (texts, dimensions)."""
        keys = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        for start in range(0, len(fresh), MANY):
            part = dict(list(fresh.items())[start : start + MANY])
            self._known.update(zip(part, self._embedder.embed(list(part.values())), strict=True))
            if len(part) == MANY:  # a run that is broken off here goes on from here
                self.save()
        return np.stack([self._known[key] for key in keys])

    def save(self) -> None:
        """Write all vectors, replacing the file at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        np.savez(partial, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        partial.replace(self._path)
