"""Which of many overlapping groups of dated things came more, or less, often lately than chance would have it.

The score of a group is the log-odds ratio of its share lately against its share before, with an informative Dirichlet
prior, as a z-score (Monroe, Colaresi and Quinn 2008, "Fightin' Words", equations 15 to 22). The prior adds
pseudo-counts in proportion to the group's share of all, so that a small count is drawn towards "no change", and its
variance is large: three of three can't outdo thirty of forty.

What counts as beyond chance is not read off a normal distribution. Groups overlap, there are thousands, and the best of
thousands is always good. So the dates are dealt out anew many times among the things, and what a real score has to beat
is the best of each deal, over all groups, sizes and both directions (Westfall and Young's max-T, as in Kulldorff's scan
statistic). Where nothing changes, anything at all is found in at most `ALARM` of all cases, whatever the dates are
like. Then the winner is taken out and the rest is tested anew (Zhang, Assunção and Kulldorff 2010): a theme that rises
takes share from all others, which would otherwise seem to fade.

It knows numbers only: no snippets, no vectors, no words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALARM = 0.05  # the chance of finding anything where there is nothing
LEAST = 3.0  # things that a group needs lately to rise, or before to fade
PRIOR = 0.1  # pseudo-counts, as a share of all the things there are

_DEALS = 199  # with the real one 200, of which 5 % is a whole number
_AT_ONCE = 50
_NEARLY = 0.9
_ABOVE = 1 + 1e-9  # counts are whole numbers, so scores are often the same: beating is more than equalling

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dated:
    """Things with dates.

    unit: which document each thing belongs to, numbered from 0, shape (n,). The passages of one document share its date
    and count together as one. lately and before: how much of each document's date lies in either stretch of time, from
    0 to 1, shape (u,).
    """

    unit: Ints
    lately: Floats
    before: Floats


@dataclass(frozen=True, slots=True)
class Change:
    """A group that changed: its members, its score (above 0 it rises), and how many of them lie lately and before."""

    members: Ints
    score: float
    lately: float
    before: float


def changes(dated: Dated, rows: Ints, sizes: Ints, most: int = 12, seed: int = 0) -> list[Change]:
    """The groups that changed, surest first, no two with a member in common, at most `most`.

    Args:
        rows: shape (c, m): each row lists things, nearest first, and its first `size` things are a group, for every one
            of `sizes`, ascending, the last of which is m.
    """
    weight = 1.0 / np.bincount(dated.unit)[dated.unit]
    rng = np.random.default_rng(seed)
    counts = _Counts(rows, sizes, len(weight))
    found: list[Change] = []
    while len(found) < most and weight.any():
        lately, before = counts.of(_dealt(dated, weight, np.arange(len(dated.lately))[:, None]))
        totals = float(weight @ dated.lately[dated.unit]), float(weight @ dated.before[dated.unit])
        scores = log_odds(lately, before, *totals)[..., 0]
        bars = _bars(dated, weight, counts, totals, scores, rng)
        ratios = np.where(scores > 0, scores / bars[0], -scores / bars[1])
        row, size = divmod(int(np.argmax(ratios)), len(sizes))
        if ratios[row, size] <= _ABOVE:
            break
        # The heart of it, where that is nearly as sure: the larger, the more there is in it that came along.
        size = int(np.argmax(ratios[row] >= max(1.0, _NEARLY * ratios[row, size])))
        members = rows[row, : sizes[size]]
        members = members[weight[members] > 0]
        one = Change(members, float(scores[row, size]), float(lately[row, size, 0]), float(before[row, size, 0]))
        found.append(one)
        weight[members] = 0.0
    return found


def log_odds(lately: Floats, before: Floats, all_lately: float, all_before: float) -> Floats:
    """The z-scores of groups, by their counts and the counts of all; 0 where a group has too few to say."""
    if all_lately <= 0 or all_before <= 0:
        return np.zeros_like(lately)
    every = all_lately + all_before
    prior = PRIOR * (lately + before)
    with np.errstate(divide="ignore", invalid="ignore"):
        now = (lately + prior) / (all_lately + PRIOR * every - lately - prior)
        then = (before + prior) / (all_before + PRIOR * every - before - prior)
        scores = (np.log(now) - np.log(then)) / np.sqrt(1 / (lately + prior) + 1 / (before + prior))
    few = np.where(scores > 0, lately, before) < LEAST - 1e-9
    return np.where(few | ~np.isfinite(scores), 0.0, scores)


class _Counts:
    """Sums over all groups at once, for many deals of the dates."""

    def __init__(self, rows: Ints, sizes: Ints, things: int) -> None:
        from scipy.sparse import csr_array

        # A group is the one of the next smaller size and a ring around it: each thing is added once a row.
        centres, longest = rows.shape
        rings = np.searchsorted(sizes, np.arange(longest), side="right")
        ring = (np.arange(centres)[:, None] * len(sizes) + rings).ravel()
        order = np.argsort(ring, kind="stable")
        starts = np.searchsorted(ring[order], np.arange(centres * len(sizes) + 1))
        self._rings = csr_array(
            (np.ones(rows.size, np.float32), rows.ravel()[order], starts), shape=(centres * len(sizes), things)
        )
        self.shape = centres, len(sizes)

    def of(self, dealt: tuple[NDArray[np.float32], NDArray[np.float32]]) -> tuple[Floats, Floats]:
        """Counts lately and before, (centres, sizes, deals) each, of things with these weights, (n, deals) each."""
        lately, before = (
            np.cumsum((self._rings @ weights).reshape(*self.shape, -1), axis=1, dtype=np.float64) for weights in dealt
        )
        return lately, before


def _dealt(dated: Dated, weight: Floats, deals: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What each thing counts lately and before when document u has the date of document deals[u, ...]."""
    taken = deals[dated.unit]
    lately = (weight[:, None] * dated.lately[taken]).astype(np.float32)
    return lately, (weight[:, None] * dated.before[taken]).astype(np.float32)


def _bars(
    dated: Dated,
    weight: Floats,
    counts: _Counts,
    totals: tuple[float, float],
    real: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """What a rising and a fading group of each size has to beat, shape (sizes,) each.

    Small groups reach high scores by chance more easily than large ones, and rising ones than fading ones where there
    is less lately than before. So each size and direction has a bar of its own, and all are raised by one factor until
    no more than ALARM of the deals have anything above its bar. The `real` scores count as one of the deals, in the
    bars too: where the dates say nothing they are one like the others, so ALARM holds exactly.
    """
    alive = np.unique(dated.unit[weight > 0])
    best = np.zeros((2, counts.shape[1], _DEALS + 1))
    best[0, :, -1], best[1, :, -1] = real.max(axis=0), (-real).max(axis=0)
    for start in range(0, _DEALS, _AT_ONCE):
        deals = np.tile(np.arange(len(dated.lately))[:, None], min(_AT_ONCE, _DEALS - start))
        for deal in deals.T:
            deal[alive] = rng.permutation(alive)
        lately, before = counts.of(_dealt(dated, weight, deals))
        scores = log_odds(lately, before, *totals)
        best[0, :, start : start + deals.shape[1]] = scores.max(axis=0)
        best[1, :, start : start + deals.shape[1]] = (-scores).max(axis=0)
    bars = np.maximum(_quantile(best), 1e-9)
    factor = float(_quantile((best / bars[..., None]).max(axis=(0, 1))))
    return bars[0] * max(factor, 1e-9), bars[1] * max(factor, 1e-9)


def _quantile(best: Floats) -> Floats:
    """What no more than ALARM of the deals surpass, over the last axis."""
    return np.asarray(np.sort(best, axis=-1)[..., -round(ALARM * best.shape[-1]) - 1])
