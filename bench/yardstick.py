"""How ideas are measured: five gates, then diversity among what passes. Pure functions of texts and vectors.

An embedder (texts to unit vectors) and a referee (texts to nats a token) come in as callables, so this module loads no
model. The lexical gates are those of bot/ideation/gates.py, which have the same formulas; fluency is the referee's,
never the generator's own, and the sources to be original against are all snippets and all training examples, not only
those shown.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bot.ideation.gates import Gate, format_fault, grounding_fault, relevance_fault
from bot.ideation.lexical import ngrams, words

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors, float32 (texts, dimensions)."""
Referee = Callable[[Sequence[str]], Sequence[float]]
"""Texts to their mean negative log likelihood, in nats a token, under an untuned language model."""

SAME, SAME_LAX = 0.55, 0.80
SHUFFLES = 3
RANDOM_OTHERS = 50
PATIENCE = 0.8
"""p of utility@10: how likely a reader goes on to the next idea."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An idea's body as it was shown, and the text of the snippet that it cites, if it cites one."""

    body: str
    spark: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What the yardstick says of one idea.

    `faults` names the gates that it fails, with the reason. `relevance`, `grounding` and `novelty` are percentiles in
    [0, 1]: its brief's rank among the briefs, its snippet's among random others, and how many training ideas lie nearer
    to another training idea than this one does. `vector` is the body's.
    """

    faults: dict[Gate, str]
    relevance: float
    grounding: float
    novelty: float
    nats: float
    vector: Vectors

    def valid(self, grounded: bool = True) -> bool:
        """Whether it passes all five gates; with `grounded` False, the four that ask for no snippet."""
        return not (self.faults.keys() - (set() if grounded else {Gate.GROUNDING}))

    def quality(self, grounded: bool = True) -> float:
        """The geometric mean of the percentiles (without grounding's where that is not asked for)."""
        parts = [self.relevance, self.novelty, *([self.grounding] if grounded else [])]
        return float(np.prod(parts) ** (1 / len(parts)))


class Yardstick:
    """The gates, with all that they compare with: every brief, every snippet, every training idea."""

    def __init__(
        self, embed: Embed, referee: Referee, briefs: Sequence[str], snippets: Sequence[str], written: Sequence[str]
    ) -> None:
        """`briefs` are all dev briefs, `snippets` the whole library, `written` the bodies of all training examples."""
        self._embed, self._referee = embed, referee
        self._briefs, self._snippets = list(briefs), list(snippets)
        self._sources = Sources([*snippets, *written])
        self._brief_vectors = embed(self._briefs)
        self._snippet_vectors = embed(self._snippets)
        self._written_vectors = embed(written) if written else np.zeros((0, self._brief_vectors.shape[1]), np.float32)
        self._usual = _nearest_others(self._written_vectors)

    def score(self, brief: str, ideas: Sequence[Shown], offered: Sequence[str], seed: int = 0) -> list[Scored]:
        """Score the ideas shown for one of the briefs. `offered` are the snippets that the model was shown.

        `seed` draws the shuffles and the random other snippets; an idea's score does not depend on those beside it.
        Raises ValueError when the brief is not one of the yardstick's.
        """
        if not ideas:
            return []
        bodies = [idea.body for idea in ideas]
        nats, shuffled = self._fluency(bodies, seed)
        vectors = self._embed(bodies)
        place = self._briefs.index(brief)
        to_briefs = vectors @ self._brief_vectors.T
        sparks = self._embed([idea.spark or "" for idea in ideas])
        scored = []
        for number, idea in enumerate(ideas):
            vector = vectors[number]
            among = self._others(idea, seed) @ vector
            to_spark = float(sparks[number] @ vector)
            others = np.delete(to_briefs[number], place)
            own = float(to_briefs[number][place])
            found = {
                Gate.FORMAT: format_fault(idea.body),
                Gate.FLUENCY: _fluency_fault(nats[number], shuffled[number]),
                Gate.RELEVANCE: relevance_fault(idea.body, brief, own, others),
                Gate.GROUNDING: _grounding_fault(idea, brief, offered, to_spark, among),
                Gate.ORIGINALITY: self._originality_fault(idea, vector, to_spark),
            }
            scored.append(
                Scored(
                    {gate: fault for gate, fault in found.items() if fault is not None},
                    float(np.mean(others < own)),
                    float(np.mean(among < to_spark)) if idea.spark else 0.0,
                    self._novelty(vector),
                    nats[number],
                    vector,
                )
            )
        return scored

    def _fluency(self, bodies: Sequence[str], seed: int) -> tuple[list[float], list[float]]:
        """Each body's nats a token, and the mean over three shuffles of its words."""
        mixed = [shuffle for body in bodies for shuffle in _shuffles(body, seed)]
        nats = list(self._referee([*bodies, *mixed]))
        of_mixed = np.asarray(nats[len(bodies) :]).reshape(len(bodies), SHUFFLES)
        return nats[: len(bodies)], [float(value) for value in of_mixed.mean(axis=1)]

    def _others(self, idea: Shown, seed: int) -> Vectors:
        """The vectors of random snippets that are not the spark, (50, d)."""
        pool = [number for number, text in enumerate(self._snippets) if text != idea.spark]
        draw = random.Random(f"{seed} {idea.body}")
        return self._snippet_vectors[draw.sample(pool, min(RANDOM_OTHERS, len(pool)))]

    def _originality_fault(self, idea: Shown, vector: Vectors, to_spark: float) -> str | None:
        if copied := self._sources.copied(idea.body):
            return copied
        if idea.spark and (copied := Sources([idea.spark]).copied(idea.body)):
            return copied
        if max(float((self._snippet_vectors @ vector).max(initial=-1.0)), to_spark if idea.spark else -1.0) > 0.85:
            return "says a snippet again"
        if float((self._written_vectors @ vector).max(initial=-1.0)) > 0.75:
            return "says a training example again"
        return None

    def _novelty(self, vector: Vectors) -> float:
        if not len(self._usual):
            return 1.0
        return float(np.mean(self._usual > float((self._written_vectors @ vector).max())))


class Sources:
    """Texts to be original against, by their word runs: thousands of them in one look."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._eights: set[tuple[str, ...]] = set()
        self._holders: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for number, text in enumerate(texts):
            tokens = words(text)
            self._eights.update(ngrams(tokens, 8))
            for gram in ngrams(tokens, 4):
                self._holders[gram].add(number)

    def copied(self, text: str) -> str | None:
        """What the text copies, or None: a run of 8 words, or over 20 % of its 4-grams in common with one source."""
        tokens = words(text)
        if not self._eights.isdisjoint(ngrams(tokens, 8)):
            return "copies eight words"
        grams = ngrams(tokens, 4)
        shared = Counter(number for gram in grams for number in self._holders.get(gram, ()))
        return "copies phrases" if shared and max(shared.values()) > 0.2 * len(grams) else None


def _shuffles(body: str, seed: int) -> list[str]:
    """The body's words in three random orders."""
    draw, tokens = random.Random(f"{seed} {body}"), body.split()
    return [" ".join(draw.sample(tokens, len(tokens))) for _ in range(SHUFFLES)]


def _fluency_fault(nats: float, shuffled: float) -> str | None:
    if not 1.0 <= nats <= 6.5:
        return f"{nats:.1f} nats a token"
    return None if nats <= shuffled - 0.5 else "no better than its words shuffled"


def _grounding_fault(
    idea: Shown, brief: str, offered: Sequence[str], to_spark: float, among: Sequence[float] | Vectors
) -> str | None:
    if idea.spark is None:
        return "cites nothing"
    if idea.spark not in offered:
        return "cites what was not shown"
    return grounding_fault(idea.body, brief, idea.spark, to_spark, among)


def _nearest_others(vectors: Vectors) -> Vectors:
    """Each row's largest cosine to any other row, float32 (n,)."""
    if len(vectors) < 2:
        return np.zeros(0, np.float32)
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -1.0)
    return np.asarray(similar.max(axis=1), np.float32)


# ---- what is measured of a set


def classes(vectors: Sequence[Vectors], threshold: float = SAME) -> list[int]:
    """Greedy classes in shown order: each joins the first class whose first member it matches above the threshold."""
    firsts: list[Vectors] = []
    found = []
    for vector in vectors:
        match = next((number for number, first in enumerate(firsts) if float(vector @ first) > threshold), len(firsts))
        if match == len(firsts):
            firsts.append(vector)
        found.append(match)
    return found


def distinct(scored: Sequence[Scored], threshold: float = SAME, grounded: bool = True) -> int:
    """UD: how many classes the valid ideas form."""
    return len(set(classes([one.vector for one in scored if one.valid(grounded)], threshold)))


def utility(scored: Sequence[Scored], places: int = 10, grounded: bool = True) -> float:
    """Utility@places in [0, 10]: the quality of each valid idea that opens a new class, weighted by how likely a reader
    gets there. 10 (1-p) / (1-p^10) times the sum of p^(i-1) q_i."""
    firsts: list[Vectors] = []
    total = 0.0
    for place, one in enumerate(scored[:places]):
        if one.valid(grounded) and all(float(one.vector @ first) <= SAME for first in firsts):
            firsts.append(one.vector)
            total += PATIENCE**place * one.quality(grounded)
    return 10 * (1 - PATIENCE) / (1 - PATIENCE**places) * total


def effective_distance(scored: Sequence[Scored], places: int = 10, grounded: bool = True) -> float:
    """eMPD: mean over all pairs of places of v_i v_j (1 - cosine); v is 1 for valid, 0 for invalid or missing."""
    valid = [one.vector for one in scored[:places] if one.valid(grounded)]
    pairs = places * (places - 1) / 2
    return sum(1 - float(one @ other) for one, other in combinations(valid, 2)) / pairs


def vendi(vectors: Sequence[Vectors]) -> float:
    """Vendi score (Friedman and Dieng 2022): exp of the entropy of the similarity matrix's eigenvalues, in [1, n]."""
    if not len(vectors):
        return 0.0
    stacked = np.stack(vectors).astype(np.float64)
    values = np.linalg.eigvalsh(stacked @ stacked.T / len(stacked))
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values))))


def recurrence(by_brief: Sequence[Sequence[Vectors]]) -> float:
    """The share of ideas that match (above 0.55) an idea of another brief."""
    if not any(by_brief):
        return 0.0
    stacked = np.stack([vector for vectors in by_brief for vector in vectors])
    owner = np.repeat(np.arange(len(by_brief)), [len(vectors) for vectors in by_brief])
    match = (stacked @ stacked.T > SAME) & (owner[:, None] != owner[None, :])
    return float(match.any(axis=1).mean())


def distinct_openings(bodies: Sequence[str]) -> float:
    """The share of distinct opening 4-grams."""
    openings = [tuple(words(body)[:4]) for body in bodies]
    return len(set(openings)) / len(openings) if openings else 0.0


def compression_ratio(bodies: Sequence[str]) -> float:
    """Bytes before over bytes after zlib: higher means that the ideas repeat one another's words."""
    raw = "\n".join(bodies).encode()
    return len(raw) / len(zlib.compress(raw, 9)) if raw else 0.0


def self_bleu(bodies: Sequence[str]) -> float:
    """Mean BLEU-4 (add-one smoothed, no brevity penalty) of each idea against the others: lower is more diverse."""
    texts = [words(body) for body in bodies]
    if len(texts) < 2:
        return 0.0
    return float(np.mean([_bleu(text, texts[:number] + texts[number + 1 :]) for number, text in enumerate(texts)]))


def _bleu(text: Sequence[str], others: Sequence[Sequence[str]]) -> float:
    logs = []
    for size in range(1, 5):
        mine = Counter(ngrams(text, size))
        most: Counter[tuple[str, ...]] = Counter()
        for other in others:
            most |= Counter(ngrams(other, size))
        logs.append(np.log(((mine & most).total() + 1) / (mine.total() + 1)))
    return float(np.exp(np.mean(logs)))


def interval(values: Sequence[float], resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean."""
    if not len(values):
        return 0.0, 0.0
    draws = np.random.default_rng(seed).choice(np.asarray(values, np.float64), (resamples, len(values)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
