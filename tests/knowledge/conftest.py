"""What the tests of `knowledge` share: a store in a temporary folder and, loaded once, the real embedder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.embedded import open_embedder
from knowledge.embedder import Embedder
from knowledge.store import Store
from knowledge.types import Collection


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The embedded model: real, and loaded once."""
    return open_embedder(device="cpu")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "kindling.db") as opened:
        yield opened


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.collection("terminal", "library")
