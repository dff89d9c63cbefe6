"""Trends: what rises, what fades and what is new among the dated snippets of some spaces.

Two stretches of time are compared: lately (the window) and before (as long again, `BEFORE` times). A date covers the
span that it names: "1957" a whole year, "2024-03" a month; so a coarse date counts in each stretch by the share of it
that lies there. Themes are neighbourhoods of snippets (`themes`), and which of them changed beyond chance is for `scan`
to say. Reading needs the store's thread; all else is arithmetic and may run on any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from knowledge.dates import Window, end_of, read_window, said, span_of
from knowledge.fulltext import content_words
from knowledge.scan import PRIOR, Change, Dated, changes
from knowledge.store import NO_FILTERS, Store
from knowledge.themes import Themes, root_of, words_of
from knowledge.types import Filters, Snippet

BEFORE = 9  # so many windows before the one looked at: the window is the last tenth of the time
ENOUGH = 30  # dated snippets; with fewer nothing can be told from chance
MOST_READ = 20_000  # dated snippets looked at, a sample where there are more: plenty, and a bound on memory
MOST_TRENDS = 12
EXAMPLES = 3
WINDOWS = tuple(map(read_window, ("30 days", "90 days", "1 year", "2 years", "4 years", "8 years")))

_FILLED = 40  # snippets that a window should hold to be chosen when nobody named one
_BUCKETS = 20  # of the drawn line: two a window
_EVEN = 5  # snippets as they come on the whole, added to each point of that line: one alone shall make no peak
_TELLING = 8  # words that a snippet has to say one of, to count as telling of a theme
_STRAY = 0.1  # what may lie in the heart of a theme and not belong: with no more of before than that, it is new


class Direction(StrEnum):
    """Where a theme goes."""

    RISING = "rising"
    NEW = "new"
    FADING = "fading"


@dataclass(frozen=True, slots=True)
class Trend:
    """A theme that changed.

    score: surer is larger, whatever the direction. lately and before: how many snippets of it there are; the passages
    of one document count as one. factor: its share lately over its share before, drawn towards 1 by the prior.
    course: its share of all snippets over time, oldest first. examples: up to three snippets nearest to its middle, of
    lately where it rises and of before where it fades. members: the ids of all such snippets.
    """

    name: str
    terms: tuple[str, ...]
    direction: Direction
    score: float
    lately: float
    before: float
    factor: float
    course: tuple[float, ...]
    examples: tuple[Snippet, ...]
    members: frozenset[int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What was found. since, turn, until: where before begins, where lately begins, and where it ends, as dates.

    dated: how many snippets with dates were looked at; with a topic, how many are about it. lately and before: how many
    lie in the two stretches, whatever their topic: what is about it is held against them all.
    """

    topic: str
    window: Window
    since: str
    turn: str
    until: str
    dated: int
    lately: float
    before: float
    trends: tuple[Trend, ...]

    @property
    def enough(self) -> bool:
        """Whether there were enough dated snippets to tell anything from chance."""
        return min(self.lately, self.before) >= ENOUGH / 3 and self.lately + self.before >= ENOUGH

    def going(self, *directions: Direction) -> tuple[Trend, ...]:
        """The trends of these directions, surest first."""
        return tuple(trend for trend in self.trends if trend.direction in directions)


@dataclass(frozen=True, slots=True)
class Topic:
    """What an outlook is to be about: its words, and their vector, shape (d,)."""

    text: str
    vector: NDArray[np.float32]


def outlook(
    store: Store,
    embedder: str,
    spaces: Sequence[str],
    *,
    topic: Topic | None = None,
    window: Window | None = None,
    filters: Filters = NO_FILTERS,
    today: date | None = None,
) -> Outlook:
    """What rises and fades in the collections of `spaces`, and in no other. The same library gives the same outlook.

    Args:
        embedder: the name of what made the vectors. window: what lately means; without one, the shortest of `WINDOWS`
            that holds enough. filters: snippets that do not satisfy them are not looked at.

    Raises:
        BadInput, StoreError: as `Store.matching`.
    """
    material = _read(store, embedder, spaces, filters, end_of(today or datetime.now(UTC).date()))
    return _outlook(material, window or _fitting(material), topic)


@dataclass(frozen=True, slots=True)
class _Material:
    """Dated snippets, their vectors (n, d), and when each one's date begins and ends (n, 2)."""

    snippets: list[Snippet]
    vectors: NDArray[np.float32]
    spans: NDArray[np.float64]
    until: float

    def within(self, start: float, end: float) -> NDArray[np.float64]:
        """How much of each date lies between `start` and `end`, from 0 to 1."""
        first, last = self.spans[:, 0], self.spans[:, 1]
        shared = np.minimum(last, end) - np.maximum(first, start)
        return np.clip(shared / np.maximum(last - first, 1e-9), 0.0, 1.0)

    def only(self, rows: NDArray[np.int64]) -> _Material:
        return _Material([self.snippets[row] for row in rows], self.vectors[rows], self.spans[rows], self.until)


def _read(store: Store, embedder: str, spaces: Sequence[str], filters: Filters, now: float) -> _Material:
    collections = [found for space in dict.fromkeys(spaces) for found in store.collections(space)]
    allowed = store.matching(collections, filters)
    spans: dict[int, tuple[float, float]] = {}
    for snippet_id, text in store.dates(collections):
        span = span_of(text)
        if span is not None and span[0] < now and (allowed is None or snippet_id in allowed):
            spans[snippet_id] = span[0], min(span[1], now)
    wanted = np.fromiter(spans, np.int64, len(spans))
    if len(wanted) > MOST_READ:
        wanted = np.sort(np.random.default_rng(0).choice(wanted, MOST_READ, replace=False))
    ids, vectors = store.vectors_of(wanted.tolist(), embedder)
    place = {int(snippet_id): row for row, snippet_id in enumerate(ids)}
    snippets = store.snippets(place)
    rows = np.array([place[snippet.id] for snippet in snippets], np.int64)
    dates = np.array([spans[snippet.id] for snippet in snippets], np.float64).reshape(-1, 2)
    until = float(dates[:, 1].max()) if len(dates) else now
    return _Material(snippets, vectors[rows], dates, until)


def _about(material: _Material, topic: Topic) -> NDArray[np.int64]:
    """The rows that are about a topic: those clearly nearer to it than most, or that say a word of it."""
    if not material.snippets:
        return np.empty(0, np.int64)
    cosines = material.vectors @ topic.vector
    near = cosines >= cosines.mean() + cosines.std()
    asked = {root_of(word) for word in content_words(topic.text)}
    says = [not asked.isdisjoint(map(root_of, words_of(snippet))) for snippet in material.snippets]
    return np.flatnonzero(near | np.array(says, bool))


def _fitting(material: _Material) -> Window:
    """The shortest window in which there is enough to see, on both sides of its beginning; else the fullest."""
    held: list[tuple[float, Window]] = []
    for window in WINDOWS:
        lately, before = _stretches(material, window)
        held.append((min(lately.sum(), before.sum()), window))
        if held[-1][0] >= _FILLED:
            return window
    return max(held, key=lambda one: one[0])[1]


def _stretches(material: _Material, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    turn = material.until - window.years
    return material.within(turn, material.until), material.within(turn - BEFORE * window.years, turn)


def _outlook(whole: _Material, window: Window, topic: Topic | None) -> Outlook:
    lately, before = _stretches(whole, window)
    rows = np.flatnonzero(lately + before > 0)
    material, lately, before = whole.only(rows), lately[rows], before[rows]
    turn = whole.until - window.years
    unit = _documents(material.snippets)
    weight = 1.0 / np.bincount(unit)[unit] if len(unit) else np.empty(0)
    centres = None if topic is None else _about(material, topic)
    days = abs(window.years * 12 - round(window.years * 12)) > 1e-9
    found = Outlook(
        "" if topic is None else topic.text,
        window,
        said(turn - BEFORE * window.years, days=days),
        said(turn, days=days),
        said(whole.until, ends=True, days=days),
        len(whole.snippets) if centres is None else len(centres),
        float(weight @ lately),
        float(weight @ before),
        (),
    )
    if not found.enough:
        return found
    themes = Themes(material.snippets, material.vectors, centres)
    first = np.unique(unit, return_index=True)[1]
    if not len(themes.rows):
        return found
    changed = changes(Dated(unit, lately[first], before[first]), themes.rows, themes.sizes, MOST_TRENDS)
    teller = _Teller(material, themes, weight, lately, before, turn, window)
    return replace(found, trends=tuple(teller.told(changed)))


def _documents(snippets: Iterable[Snippet]) -> NDArray[np.int64]:
    """Numbers of the documents that snippets belong to: the same source, address, title and date is the same one."""
    numbers: dict[object, int] = {}
    keys = ((one.source_id, one.address, one.title, one.date) if one.address else one.id for one in snippets)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


class _Teller:
    """Turns changes into trends that can be read."""

    def __init__(
        self,
        material: _Material,
        themes: Themes,
        weight: NDArray[np.float64],
        lately: NDArray[np.float64],
        before: NDArray[np.float64],
        turn: float,
        window: Window,
    ) -> None:
        self._material, self._themes, self._weight = material, themes, weight
        self._lately, self._before = lately, before
        edges = np.linspace(turn - BEFORE * window.years, material.until, _BUCKETS + 1)
        self._buckets = np.stack([weight * material.within(*edge) for edge in pairwise(edges)])
        self._all = self._buckets.sum(axis=1)

    def told(self, changed: Iterable[Change]) -> list[Trend]:
        named = [(change, self._themes.terms(change.members)) for change in self._joined(changed)]
        return [self._trend(change, terms) for change, terms in named if terms]

    def _joined(self, changed: Iterable[Change]) -> list[Change]:
        """Changes in the same direction, by mostly the same words, are one: the rim of a theme was found after it."""
        kept: list[Change] = []
        for change in changed:
            terms = set(self._themes.terms(change.members))
            for place, other in enumerate(kept):
                shared = terms & set(self._themes.terms(other.members))
                if len(shared) >= 2 and (change.score > 0) == (other.score > 0):
                    members = np.concatenate([other.members, change.members])
                    kept[place] = Change(
                        members, other.score, other.lately + change.lately, other.before + change.before
                    )
                    break
            else:
                kept.append(change)
        return kept

    def _trend(self, change: Change, terms: tuple[str, ...]) -> Trend:
        rises = change.score > 0
        direction = Direction.FADING if not rises else Direction.NEW if self._is_new(change) else Direction.RISING
        stretch = self._lately if rises else self._before
        carrying = [int(place) for place in change.members if stretch[place] >= 0.5]
        carrying = carrying or [int(place) for place in change.members if stretch[place] > 0]
        # At the rim of a neighbourhood lie some that only happen to be there: they say none of its words.
        telling = {root_of(term) for term in self._themes.terms(change.members, _TELLING)}
        ours = [place for place in carrying if not telling.isdisjoint(self._themes.roots(place))]
        carrying = ours if len(ours) >= EXAMPLES else carrying
        snippets = self._material.snippets
        all_lately, all_before = float(self._weight @ self._lately), float(self._weight @ self._before)
        even = (change.lately + change.before) / (all_lately + all_before)
        # A prior as in the score, of one snippet at most: four against none is not for ever as often.
        prior = min(1.0, PRIOR * (change.lately + change.before))
        shares = (
            (count + prior) / (every + prior / even)
            for count, every in ((change.lately, all_lately), (change.before, all_before))
        )
        factor = next(shares) / next(shares)
        even *= _EVEN
        counts = self._buckets[:, change.members].sum(axis=1)
        return Trend(
            ", ".join(terms),
            terms,
            direction,
            abs(change.score),
            change.lately,
            change.before,
            factor,
            tuple(((counts + even) / (self._all + _EVEN)).tolist()),
            tuple(snippets[place] for place in self._telling(carrying, terms)),
            frozenset(snippets[place].id for place in carrying),
        )

    def _is_new(self, change: Change) -> bool:
        """Whether the heart of a rising theme, the half nearest to its middle, lies lately and nowhere else."""
        heart = change.members[: (len(change.members) + 1) // 2]
        lately, before = (float(self._weight[heart] @ stretch[heart]) for stretch in (self._lately, self._before))
        return before <= _STRAY * lately

    def _telling(self, places: Sequence[int], terms: tuple[str, ...]) -> list[int]:
        """Up to three of these, from nearest the middle outwards, those first that say the most of the terms."""
        roots = {root_of(term) for term in terms}
        titles: set[str] = set()
        chosen: list[int] = []
        said_of = {place: len(roots & self._themes.roots(place)) for place in places}
        for place in sorted(places, key=lambda place: -said_of[place]):  # stable: nearest first among equals
            title = self._material.snippets[place].title.lower()
            if title not in titles or not title:
                titles.add(title)
                chosen.append(place)
        return chosen[:EXAMPLES]
