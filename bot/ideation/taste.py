"""What a space likes: one direction in the space of idea vectors, fitted to the choices that its people made.

The model is Bradley and Terry's (1952, "Rank analysis of incomplete block designs") with the strength of an idea linear
in its vector: of two ideas, the one whose vector points further along the direction is preferred, the more surely the
further. A prior holds the direction near zero, so a few choices shift little, and however many there are an idea gains
or loses at most LEAN of its value. It knows vectors and choices, no people and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.ideation.lexical import content_words

Vector = NDArray[np.float32]

LEAN = 0.3  # the most that taste takes from an idea's value or adds to it, as a share
PRIOR = 2.0  # standard deviation that the direction's parts are expected to have: an evening's duels can be heard
_STEPS = 20  # of Newton's method, which mostly has converged after five
_SETTLED = 1e-6
_TELLING = 2  # how many ideas must say a word before it tells of the taste


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """A fitted taste. `direction` and `middle` (the mean of the ideas compared) have shape (d,)."""

    direction: Vector
    middle: Vector

    def strength(self, vectors: Vector) -> Vector:
        """How far each of `vectors`, (..., d), goes the way that is liked: log odds against a middling idea."""
        return np.asarray((vectors - self.middle) @ self.direction, np.float32)

    def value(self, quality: float, vector: Vector) -> float:
        """The quality of an idea, in [0, 1], leaned towards what is liked."""
        return min(1.0, quality * (1 + LEAN * float(np.tanh(self.strength(vector) / 2))))


def fit(better: Vector, worse: Vector, weights: Sequence[float]) -> Taste:
    """The most likely taste, given that each row of `better`, (n, d), was preferred to the same row of `worse`.

    `weights`, n of them, say how much each choice counts: 1 for a choice between two ideas that a person made. It is
    Newton's method on the choices rather than on the direction, of which there are far fewer at first: algorithm 3.1 of
    Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), with a linear kernel.
    """
    apart = (better - worse).astype(np.float64)
    counts = np.asarray(weights, dtype=np.float64)
    kernel = PRIOR**2 * apart @ apart.T
    surety = np.zeros(len(apart))  # log odds of each choice
    shares = surety
    for _ in range(_STEPS):
        unsure = 1 / (1 + np.exp(surety))  # the chance that the choice had gone the other way
        curve = counts * unsure * (1 - unsure)
        target = curve * surety + counts * unsure
        root = np.sqrt(curve)
        inner = np.eye(len(apart)) + root[:, None] * kernel * root
        shares = target - root * np.linalg.solve(inner, root * (kernel @ target))
        before, surety = surety, kernel @ shares
        if np.abs(surety - before).max() < _SETTLED:
            break
    direction = PRIOR**2 * apart.T @ shares
    middle = np.concatenate([better, worse]).mean(axis=0)
    return Taste(direction.astype(np.float32), middle.astype(np.float32))


def telling_words(taste: Taste, texts: Sequence[str], vectors: Vector, count: int = 5) -> tuple[list[str], list[str]]:
    """The words that stand in the ideas liked most, and those in the ideas liked least, the most telling first.

    A word's measure is the mean strength of the ideas (`texts`, with `vectors` of shape (n, d)) that say it, shrunk as
    if one more idea said it that nobody minds.
    """
    strengths = taste.strength(vectors)
    said: dict[str, list[float]] = {}
    for text, strength in zip(texts, strengths.tolist(), strict=True):
        for word in set(content_words(text)):
            said.setdefault(word, []).append(strength)
    measures = {word: sum(found) / (len(found) + 1) for word, found in said.items() if len(found) >= _TELLING}
    ranked = sorted(measures, key=lambda word: (-measures[word], word))
    return _first(ranked, measures, count, 1), _first(ranked[::-1], measures, count, -1)


def _first(ranked: Iterable[str], measures: dict[str, float], count: int, sign: int) -> list[str]:
    return [word for word in ranked if sign * measures[word] > 0][:count]
