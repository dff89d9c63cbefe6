"""The real embedder, the real referee and a yardstick made of them, once for all tests of the bench."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from bench import yardstick as measures
from bench.ideation.referee import UntunedReferee
from bench.yardstick import Yardstick
from knowledge.embedded import open_embedder
from tests.bench.material import DEV_BRIEFS, ROOT, SNIPPETS, WRITTEN


class Remembering:
    """The real embedder, which is asked for every text once."""

    def __init__(self) -> None:
        self._embedder = open_embedder(device="cpu")
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if fresh := list(dict.fromkeys(text for text in texts if text not in self._known)):
            self._known.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        return np.stack([self._known[text] for text in texts])


@pytest.fixture(scope="session")
def embedder() -> Remembering:
    return Remembering()


@pytest.fixture(scope="session")
def referee() -> UntunedReferee:
    return UntunedReferee(ROOT / ".cache/tests/models", "cpu")


class Lenient:
    """A referee that every text pleases, and `real` one on demand: what fails without it fails by the other gates."""

    def __init__(self, real: UntunedReferee) -> None:
        self.real, self.strict = real, False

    def __call__(self, texts: Sequence[str]) -> Sequence[float]:
        count = len(texts) // (1 + measures.SHUFFLES)
        return self.real(texts) if self.strict else [3.0] * count + [6.0] * (len(texts) - count)


@pytest.fixture(scope="session")
def lenient(referee: UntunedReferee) -> Lenient:
    return Lenient(referee)


@pytest.fixture(scope="session")
def yardstick(embedder: Remembering, lenient: Lenient) -> Yardstick:
    return Yardstick(embedder.embed, lenient, DEV_BRIEFS, SNIPPETS, WRITTEN)


@pytest.fixture
def strictly(lenient: Lenient) -> Iterator[None]:
    """The real referee for one test."""
    lenient.strict = True
    yield
    lenient.strict = False
