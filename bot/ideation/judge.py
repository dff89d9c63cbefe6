"""Judging one brief's candidates: embeds what they say and puts them through the gates.

A judge knows the brief, the sparks in play, random other snippets and other people's briefs to rank them among, and
what the space's journal already holds. It blocks (the embedder does), so it lives on the library's thread.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.ideation import gates
from bot.ideation.gates import Gate, Vector
from bot.ideation.recited import recites
from bot.ideation.selection import SAME_CLASS, quality
from bot.ideation.taste import Taste
from bot.ideation.types import Brief, Words
from bot.ideation.worked import worked_examples
from knowledge import starter
from knowledge.embedder import Embedder
from knowledge.embedding import passage
from knowledge.store import Store
from knowledge.types import Hit

BACKGROUND_SNIPPETS = 50
BACKGROUND_BRIEFS = 27  # with the brief itself 28, as many as the yardstick ranks among

FATAL = frozenset({Gate.FORMAT, Gate.FLUENCY, Gate.ORIGINALITY, Gate.NOVELTY, Gate.BANNED})


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """What candidates are ranked among: unit rows (n, d) of other briefs and of random snippets."""

    briefs: Vector
    snippets: Vector


def read_background(store: Store, embedder: Embedder) -> Background:
    """Other people's briefs and random starter snippets; the same ones every time."""
    briefs = embedder.embed([example.brief for example in worked_examples()[:BACKGROUND_BRIEFS]])
    _, vectors = store.vectors(store.collection(starter.SPACE, starter.NAME), embedder.name)
    rows = random.Random(0).sample(range(len(vectors)), k=min(BACKGROUND_SNIPPETS, len(vectors)))
    return Background(briefs, vectors[rows] if rows else np.zeros((0, briefs.shape[1]), dtype=np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the gates say of one candidate, and what selection needs to know of it.

    `had` is its cosine to the nearest idea that the space has had.
    """

    vector: Vector
    faults: dict[Gate, str]
    quality: float
    had: float

    @property
    def passes(self) -> bool:
        """Whether every gate let it through."""
        return not self.faults

    @property
    def showable(self) -> bool:
        """Whether it may be shown where nothing better is to be had: whole, readable, its own and new."""
        return FATAL.isdisjoint(self.faults)

    @property
    def fresh(self) -> bool:
        """Whether it passes, and is of another kind than all that the space has had."""
        return self.passes and self.had <= SAME_CLASS

    @property
    def grounded(self) -> bool:
        """Whether it uses its spark."""
        return Gate.GROUNDING not in self.faults


class Judge:
    """Judges the candidates of one brief.

    `journal` (n, d) holds the unit vectors of what the space has already had; `banned` are motifs that the channel does
    not want to see; `taste` is what its people have been seen to like.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        background: Background,
        brief: Brief,
        journal: Vector,
        banned: Sequence[str] = (),
        taste: Taste | None = None,
    ) -> None:
        self._taste = taste
        self._store = store
        self._embedder = embedder
        self._background = background
        self._brief = brief
        self._journal = journal
        self._banned = banned
        self._brief_vector: Vector = embedder.embed([brief.text])[0]
        self._spark_vectors: dict[int, Vector] = {}

    def judge(self, words: Words, sparks: Sequence[Hit], log_likelihood: float | None) -> Verdict:
        """Put one candidate through all gates. Without sparks, grounding is not asked for."""
        vector: Vector = self._embedder.embed([words.body])[0]
        to_sparks = {hit.snippet.id: float(vector @ self._spark_vector(hit)) for hit in sparks}
        to_brief = float(vector @ self._brief_vector)
        had = float((self._journal @ vector).max()) if self._journal.size else 0.0
        nearest_spark = max(to_sparks.values(), default=0.0)
        among_snippets = self._background.snippets @ vector
        grounding = [
            gates.grounding_fault(
                words.body, self._brief.text, hit.snippet.text, to_sparks[hit.snippet.id], among_snippets
            )
            for hit in sparks
        ]
        found = {
            Gate.FORMAT: gates.format_fault(words.body),
            Gate.FLUENCY: gates.fluency_fault(log_likelihood),
            Gate.RELEVANCE: gates.relevance_fault(
                words.body, self._brief.text, to_brief, self._background.briefs @ vector
            ),
            Gate.GROUNDING: grounding[0] if grounding and all(grounding) else None,
            Gate.ORIGINALITY: gates.originality_fault(words.body, [hit.snippet.text for hit in sparks], nearest_spark)
            or ("says what it learned by heart" if recites(words.body) else None),
            Gate.NOVELTY: gates.novelty_fault(had),
            Gate.BANNED: gates.banned_fault(f"{words.title}\n{words.body}\n{words.first_step}", self._banned),
        }
        faults = {gate: fault for gate, fault in found.items() if fault is not None}
        value = quality(to_brief, nearest_spark, log_likelihood)
        return Verdict(vector, faults, self._taste.value(value, vector) if self._taste else value, had)

    def _spark_vector(self, hit: Hit) -> Vector:
        if hit.snippet.id not in self._spark_vectors:
            _, stored = self._store.vectors_of([hit.snippet.id], self._embedder.name)
            found = stored if len(stored) else self._embedder.embed([passage(hit.snippet)])
            self._spark_vectors[hit.snippet.id] = found[0]
        return self._spark_vectors[hit.snippet.id]
