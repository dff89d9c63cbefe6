"""What the embedded model learned by heart: an idea that says eight words in a row of its training is not its own.

The training's texts are not installed; `learned.npy` holds a hash of each of their runs. `python -m training.learned`
writes it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot.ideation.lexical import ngrams, words

RUN = 8
FILE = "learned.npy"


def runs(text: str) -> NDArray[np.uint32]:
    """A hash of each run of eight words of a text, in order: uint32 (runs,)."""
    return np.array([crc32(" ".join(run).encode()) for run in ngrams(words(text), RUN)], dtype=np.uint32)


def recites(text: str) -> bool:
    """Whether a run of the text was learned. One idea in 1,500 is taken for such by chance."""
    mine, known = runs(text), _learned()
    places = np.minimum(np.searchsorted(known, mine), len(known) - 1)
    return bool((known[places] == mine).any())


@cache
def _learned() -> NDArray[np.uint32]:
    """All runs that were learned, sorted."""
    with resources.files("bot.ideation").joinpath(FILE).open("rb") as file:
        known: NDArray[np.uint32] = np.load(file)
    return known
