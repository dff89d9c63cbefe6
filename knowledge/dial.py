"""The near / mixed / far dial, in numbers: what lies where from a query, and how to draw a varied few from there.

It knows vectors and ranks; it knows no snippets, stores or texts.

Where the bands end was decided by reading the starter collection in order of similarity for fifteen briefs. Of its
1,010 snippets the first dozen share the brief's subject; down to about the hundredth one sees at once what they have
to do with it; down to about the three-hundredth a thread can be found, and finding it is the fun; below that the
cosine falls under that of two snippets picked at random, so what lies there is not far but unrelated. Bands are shares
of the ranking rather than cosines, because every embedder has a scale of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.types import Band, Distance

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

# Where each band ends: as a share of the ranking, and the least number of snippets up to there.
_ENDS = {Band.NEAR: (0.015, 5), Band.MIDDLE: (0.10, 15), Band.FAR: (0.30, 30)}

# Two snippets closer than this say the same, on a scale where two picked at random are at 0 and identical ones at 1.
# In the starter collection the one pair that tells the same thing twice stands at 0.82, the next at 0.61.
SAME = 0.75

_SHARES = {
    Distance.NEAR: {Band.NEAR: 1.0},
    Distance.MIXED: {Band.NEAR: 0.2, Band.MIDDLE: 0.6, Band.FAR: 0.2},
    Distance.FAR: {Band.FAR: 1.0},
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Snippets that stand for all there are, and what can be said of them before anything is asked.

    Attributes:
        ids: int64, (n,). vectors: of length 1, (n, d). mean: of the vectors, (d,).
        common: each one's mean cosine to the sample, (n,): high for what is a little like everything.
        typical: the mean cosine of two different snippets.
    """

    ids: Ids
    vectors: Vectors
    mean: Vectors
    common: Vectors
    typical: float

    @classmethod
    def of(cls, ids: Ids, vectors: Vectors) -> Sample:
        """The sample of `ids`, (n,), with `vectors`, (n, d)."""
        if len(ids) < 2:
            return cls(ids, vectors, np.zeros(vectors.shape[1], np.float32), np.zeros(len(ids), np.float32), 0.0)
        mean = vectors.mean(axis=0)
        # The mean over all pairs, less each one's cosine of 1 to itself. Kept from 1, where all are the same.
        typical = min(0.95, (len(ids) * float(mean @ mean) - 1) / (len(ids) - 1))
        return cls(ids, vectors, mean, vectors @ mean, typical)


@dataclass(frozen=True, slots=True)
class Survey:
    """Snippets around a query: a sample, and any that were found to be near besides.

    Attributes:
        ids: int64, (m,). vectors: of length 1, (m, d). cosines: to the query, (m,).
        common: each one's mean cosine to the sample, (m,). typical: as the sample's.
        ranking: cosines of the sample, from the highest down, (n,).
        sampled: which rows are of the sample, bool, (m,).
        floors: the lowest cosine of each band; below every cosine for one within which the sample ends.
    """

    ids: Ids
    vectors: Vectors
    cosines: Vectors
    common: Vectors
    typical: float
    ranking: Vectors
    sampled: NDArray[np.bool_]
    floors: dict[Band, float]

    @classmethod
    def of(cls, query: Vectors, sample: Sample, ids: Ids | None = None, vectors: Vectors | None = None) -> Survey:
        """Survey `sample`, and `ids`, (k,), with `vectors`, (k, d), besides, from `query`, (d,)."""
        size = len(sample.ids)
        if ids is not None and vectors is not None and len(ids):
            common = np.concatenate([sample.common, vectors @ sample.mean])
            ids, vectors = np.concatenate([sample.ids, ids]), np.concatenate([sample.vectors, vectors])
        else:  # nothing is copied, which would take as long as all the rest
            ids, vectors, common = sample.ids, sample.vectors, sample.common
        cosines = vectors @ query
        ranking = np.sort(cosines[:size])[::-1]
        ends = {band: _end(band, size) for band in _ENDS}
        floors = {band: float(ranking[end - 1]) if 0 < end < size else -2.0 for band, end in ends.items()}
        return cls(ids, vectors, cosines, common, sample.typical, ranking, np.arange(len(ids)) < size, floors)

    def rows(self, band: Band) -> NDArray[np.int64]:
        """The rows of the sample that lie in `band`, nearest first. What ranks below FAR is in none."""
        inside = self.sampled & (self.cosines >= self.floors[band])
        if band is not Band.NEAR:
            inside &= self.cosines < self.floors[Band.NEAR if band is Band.MIDDLE else Band.MIDDLE]
        rows = np.flatnonzero(inside)
        return rows[np.lexsort((self.ids[rows], -self.cosines[rows]))]

    def band(self, cosine: float) -> Band:
        """Where something of this cosine to the query lies; what ranks below FAR counts as FAR."""
        return next((band for band in (Band.NEAR, Band.MIDDLE) if cosine >= self.floors[band]), Band.FAR)

    def alikeness(self, cosines: Vectors) -> Vectors:
        """Cosines on the scale where two snippets picked at random are at 0 and identical ones at 1."""
        return (cosines - np.float32(self.typical)) / np.float32(1 - self.typical)

    def span(self, band: Band) -> tuple[int, int]:
        """The ranks of `band` in the sample, from 0: its first, and the one after its last."""
        bands = list(_ENDS)
        before = bands[: bands.index(band)]
        return _end(before[-1], len(self.ranking)) if before else 0, _end(band, len(self.ranking))


def _end(band: Band, ranked: int) -> int:
    """The rank after the last one of `band`, where so many are ranked."""
    share, least = _ENDS[band]
    return min(ranked, max(least, round(share * ranked)))


def shares(distance: Distance, count: int) -> dict[Band, int]:
    """How many of `count` to draw from each band, nearest band first."""
    wanted = _SHARES[distance]
    drawn = {band: int(share * count + 0.5) for band, share in wanted.items()}
    most = max(wanted, key=lambda band: wanted[band])
    drawn[most] += count - sum(drawn.values())
    return drawn


def interleaved(drawn: Sequence[Sequence[int]]) -> list[int]:
    """Several drawings as one, each spread evenly over it: whoever takes only the first few takes from all."""
    placed = [
        ((position + 0.5) / len(of_band), number, row)
        for number, of_band in enumerate(drawn)
        for position, row in enumerate(of_band)
    ]
    return [row for _, _, row in sorted(placed)]


def draw(
    survey: Survey,
    rows: NDArray[np.int64],
    count: int,
    worth: Vectors,
    variety: float,
    beside: Sequence[int] = (),
) -> list[int]:
    """Up to `count` of `rows`, each worth something, and unlike each other and the rows in `beside`.

    Maximal marginal relevance (Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking"): the next
    one is that with the best (1 - variety) * worth - variety * alikeness to the most alike so far. No two that say the
    SAME.

    Args:
        worth: of each of `rows`, (len(rows),), about as wide as the scale of alikeness. variety: 0 for worth alone, to
        1.
    """
    vectors = survey.vectors[rows]
    alike = np.full(len(rows), -1.0, np.float32)
    for row in beside:
        alike = np.maximum(alike, survey.alikeness(vectors @ survey.vectors[row]))
    free = np.ones(len(rows), bool)
    drawn: list[int] = []
    while len(drawn) < count:
        free &= alike < SAME
        if not free.any():
            break
        best = int(np.argmax(np.where(free, (1 - variety) * worth - variety * alike, -np.inf)))
        free[best] = False
        drawn.append(int(rows[best]))
        alike = np.maximum(alike, survey.alikeness(vectors @ vectors[best]))
    return drawn
