"""From a query to snippets: the best answers (`search`), or varied material for ideas (`sparks`).

Only collections of the spaces that are named are looked at: that is the wall between servers, and this is where it
stands. The retriever knows neither files nor FAISS, and changes nothing in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import ThreadpoolController

from knowledge.dial import Ids, Sample, Survey, Vectors, draw, interleaved, shares
from knowledge.embedder import Embedder
from knowledge.index import Index, Indexes
from knowledge.store import NO_FILTERS, Store
from knowledge.types import Band, Collection, Distance, Filters, Hit, Snippet

RRF_K = 60  # as in Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet ..."

_SURVEYED = 1024  # vectors looked at to tell near from far: plenty for shares of a ranking, and quick at any size
_DRAWN_FROM = 2048  # vectors looked at where sparks are drawn from them: more, so that the bands have plenty to give
_DEPTH = 50  # how far down each ranking is read, at least
_CHOICE = 6  # rows picked at random for each spark that is wanted of a band, of half of it at most: the seed's say

_WHY = {Band.NEAR: "near in meaning", Band.MIDDLE: "loosely related", Band.FAR: "remotely related"}


class Retriever:
    """Finds snippets. Belongs to the thread of its store."""

    def __init__(self, store: Store, embedder: Embedder, indexes: Indexes) -> None:
        """`indexes` must be of the same store and embedder."""
        self._store = store
        self._embedder = embedder
        self._indexes = indexes
        self._sample: Sample | None = None  # the last one: of a small library, or for searches, it is always the same
        self._aside = ThreadPoolExecutor(1, "query")  # embeds the query
        # On a few thousand short rows NumPy's threads gain nothing; on busy cores they wait for each other, for longer
        # than all the rest takes.
        self._blas = ThreadpoolController().select(user_api="blas", internal_api="openblas")

    def search(self, query: str, spaces: Sequence[str], count: int = 10, filters: Filters = NO_FILTERS) -> list[Hit]:
        """The best answers to `query`, best first, no two of which say the same; at most `count`.

        The dense and the full-text ranking are fused by reciprocal rank; `score` is the fused one.

        Raises:
            BadInput: a date in `filters` is none. StoreError, EmbedderError: as their names say.
        """
        with self._blas.limit(limits=1):
            return self._search(query, spaces, count, filters)

    def _search(self, query: str, spaces: Sequence[str], count: int, filters: Filters) -> list[Hit]:
        survey, fused = self._surveyed(query, spaces, filters, depth=max(_DEPTH, 3 * count), limit=_SURVEYED)
        rows = _rows_of(survey, fused)
        worth = np.fromiter(fused.values(), np.float32, len(fused))
        # Twice as many as wanted: some may turn out to be the same text, or to have been deleted this moment.
        drawn = draw(survey, rows, 2 * count, worth, variety=0.0)
        return self._hits(query, survey, drawn, fused, count)

    def sparks(
        self,
        query: str,
        spaces: Sequence[str],
        count: int,
        distance: Distance = Distance.MIXED,
        seed: int = 0,
        filters: Filters = NO_FILTERS,
        exclude: frozenset[int] = frozenset(),
        among: frozenset[int] | None = None,
    ) -> list[Hit]:
        """Material for ideas about `query`: up to `count` snippets, all different, from as far as the dial says.

        The bands are interleaved, so the first few are as mixed as all. `score` is the cosine. The same arguments on
        the same library give the same sparks; another seed gives others, but for those of a dial that is all near. When
        a band has too few left, those that rank nearest to it stand in; when all is used up, fewer come.

        Args:
            distance: mixed is about 20 % near, 60 % middle and 20 % far. exclude: ids of snippets that are not wanted.
            among: only these are looked at, unless it is None; those that are in none of the spaces are not found.

        Raises:
            As `search`.
        """
        with self._blas.limit(limits=1):
            return self._sparks(query, spaces, count, distance, seed, filters, exclude, among)

    def _sparks(
        self,
        query: str,
        spaces: Sequence[str],
        count: int,
        distance: Distance,
        seed: int,
        filters: Filters,
        exclude: frozenset[int],
        among: frozenset[int] | None,
    ) -> list[Hit]:
        depth = max(_DEPTH, 3 * count) + len(exclude)
        survey, fused = self._surveyed(query, spaces, filters, among, depth=depth, limit=_DRAWN_FROM, seed=seed)
        rng = np.random.default_rng(seed)
        free = ~np.isin(survey.ids, list(exclude))
        drawings: list[list[int]] = []
        taken: list[int] = []
        for band, wanted in shares(distance, count).items():
            if band is Band.NEAR:
                near = _rows_of(survey, fused)
                drawings.append(_draw_near(survey, near[free[near]], wanted, rng if wanted < count else None))
            else:
                rows = survey.rows(band)
                drawings.append(_draw_related(survey, rows[free[rows]], wanted, rng, beside=taken))
            taken += drawings[-1]
            free[taken] = False
        drawings.append(_draw_nearby(survey, np.flatnonzero(free), count - len(taken), distance, beside=taken))
        return self._hits(query, survey, interleaved(drawings), {}, count)

    def _surveyed(
        self,
        query: str,
        spaces: Sequence[str],
        filters: Filters,
        among: frozenset[int] | None = None,
        *,
        depth: int,
        limit: int,
        seed: int = 0,
    ) -> tuple[Survey, dict[int, float]]:
        """What to draw from, and the ids of what ranks best there with fused scores, best first.

        What needs no vector is done while the query is embedded: in a large library both take some milliseconds.
        """
        embedding = self._aside.submit(self._embedder.embed, [query])
        try:
            view = self._view(spaces, filters, among)
            worded = self._worded(view, query, depth)
            sample = self._sampled(view, limit, seed)
        finally:
            vector = embedding.result()[0]
        fused = _fused(view.nearest(vector, depth), worded)
        besides = np.setdiff1d(np.fromiter(fused, np.int64), sample.ids, assume_unique=True)
        return Survey.of(vector, sample, besides, view.vectors(besides, self._embedder.dimension)), fused

    def _view(self, spaces: Sequence[str], filters: Filters, among: frozenset[int] | None = None) -> _View:
        collections = [found for space in dict.fromkeys(spaces) for found in self._store.collections(space)]
        # What is left out is mostly little, and what is let in mostly everything: so the little is fetched.
        matching = self._store.matching(collections, replace(filters, without_sources=frozenset()))
        if among is not None:
            matching = set(among) if matching is None else matching & among
        barred = self._store.ids_of_sources(filters.without_sources) if filters.without_sources else None
        indexes = [self._indexes.of(collection) for collection in collections]
        allowed = [_allowed(index, matching, barred) for index in indexes]
        return _View(collections, filters, among, indexes, allowed)

    def _worded(self, view: _View, query: str, depth: int) -> list[int]:
        """The ids of the full-text ranking, at most `depth`, best first."""
        found = self._store.search(view.collections, query, depth, view.filters)
        return [snippet_id for snippet_id, _ in found if view.among is None or snippet_id in view.among]

    def _sampled(self, view: _View, limit: int, seed: int) -> Sample:
        ids = view.sample(limit, seed)
        if self._sample is None or not np.array_equal(ids, self._sample.ids):
            self._sample = Sample.of(ids, view.vectors(ids, self._embedder.dimension))
        return self._sample

    def _hits(
        self, query: str, survey: Survey, rows: Sequence[int], scores: Mapping[int, float], count: int
    ) -> list[Hit]:
        """The first `count` rows as hits, but for those that were deleted meanwhile or whose text came before."""
        place = {int(survey.ids[row]): row for row in rows}
        texts: dict[str, Snippet] = {}
        for snippet in self._store.snippets(place):
            texts.setdefault(" ".join(snippet.text.lower().split()), snippet)
        snippets = list(texts.values())[:count]
        cosines = {snippet.id: float(survey.cosines[place[snippet.id]]) for snippet in snippets}
        bands = {snippet_id: survey.band(cosine) for snippet_id, cosine in cosines.items()}
        shared = self._store.shared_words([i for i, band in bands.items() if band is not Band.FAR], query)

        def hit(snippet: Snippet) -> Hit:
            cosine, band, word = cosines[snippet.id], bands[snippet.id], shared.get(snippet.id)
            why = f"shares the word '{word}'" if word else _WHY[band]
            return Hit(snippet, scores.get(snippet.id, cosine), cosine, band, why)

        return [hit(snippet) for snippet in snippets]


@dataclass(frozen=True, slots=True)
class _View:
    """The collections that one query may look at, and which of their snippets."""

    collections: list[Collection]
    filters: Filters
    among: frozenset[int] | None
    indexes: list[Index]
    allowed: list[Ids | None]  # for each index: the ids that may be looked at, or None for all

    def nearest(self, vector: Vectors, limit: int) -> list[int]:
        """The ids of the snippets nearest to `vector` over all collections, best first."""
        found: list[tuple[float, int]] = []
        for index, allowed in zip(self.indexes, self.allowed, strict=True):
            ids, cosines = index.search(vector, limit, allowed)
            found += zip((-cosines).tolist(), ids.tolist(), strict=True)
        return [snippet_id for _, snippet_id in sorted(found)[:limit]]

    def sample(self, limit: int, seed: int) -> Ids:
        """The ids of all snippets, or of about `limit` of them at most and half as many at least, picked at random.

        Whether one is picked hangs on its own id alone, by multiply-shift hashing (Dietzfelbinger et al. 1997, "A
        reliable randomized algorithm for the closest-pair problem"): a library that grows keeps its sample, but for
        some newcomers, until its size passes a power of two.
        """
        parts = [
            index.ids if allowed is None else allowed for index, allowed in zip(self.indexes, self.allowed, strict=True)
        ]
        ids = np.concatenate([np.empty(0, np.int64), *parts])
        if len(ids) <= limit:
            return ids
        odd = np.random.default_rng(seed).integers(1 << 63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        doublings = (len(ids) - 1).bit_length()
        hashes = (ids.astype(np.uint64) * odd) >> np.uint64(64 - doublings)
        return np.sort(ids[hashes < limit])

    def vectors(self, ids: Ids, dimension: int) -> Vectors:
        """The vectors of `ids`, (n, dimension); zeros for a snippet that no index holds yet."""
        vectors = np.zeros((len(ids), dimension), np.float32)
        for index in self.indexes:
            held = index.holds(ids)
            if held.all():
                return index.vectors(ids)
            vectors[held] = index.vectors(ids[held])
        return vectors


def _allowed(index: Index, matching: set[int] | None, barred: Ids | None) -> Ids | None:
    """The ids that an index holds which match, without the barred ones; None for all that it holds."""
    if matching is None and barred is None:
        return None
    held = index.ids if matching is None else index.among(matching)
    return held if barred is None else held[~np.isin(held, barred, assume_unique=True)]


def _fused(*rankings: Iterable[int]) -> dict[int, float]:
    """The ids of all rankings with fused scores, best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, snippet_id in enumerate(ranking, start=1):
            scores[snippet_id] = scores.get(snippet_id, 0.0) + 1 / (RRF_K + rank)
    return dict(sorted(scores.items(), key=lambda scored: (-scored[1], scored[0])))


def _rows_of(survey: Survey, ids: Iterable[int]) -> Ids:
    """The rows of `ids`, all of which are surveyed, in that order."""
    order = np.argsort(survey.ids)
    return order[np.searchsorted(survey.ids, np.fromiter(ids, np.int64), sorter=order)]


def _draw_near(survey: Survey, rows: Ids, wanted: int, rng: np.random.Generator | None = None) -> list[int]:
    """From `rows`, best first: the best, unless they are too much alike. Those that only share words come last.

    With `rng`, from a chance half of the best: another seed is to give others.
    """
    inside = np.isin(rows, survey.rows(Band.NEAR)) | ~survey.sampled[rows]
    rows = np.concatenate([rows[inside], rows[~inside]])[: 2 * wanted + 2]
    if rng is not None:
        rows = rows[np.sort(rng.choice(len(rows), min(len(rows), wanted + 1), replace=False))]
    return draw(survey, rows, wanted, np.linspace(1, 0, len(rows), dtype=np.float32), variety=0.3)


def _draw_related(survey: Survey, rows: Ids, wanted: int, rng: np.random.Generator, beside: Sequence[int]) -> list[int]:
    """From the rows of a band: a chance selection, of which the most unlike each other.

    All are about equally near to the query, so those are preferred that are near to it and to little else.
    """
    rows = rng.choice(rows, min(len(rows), max(wanted, min(len(rows) // 2, _CHOICE * wanted))), replace=False)
    return draw(survey, rows, wanted, survey.cosines[rows] - survey.common[rows], variety=0.3, beside=beside)


def _draw_nearby(survey: Survey, rows: Ids, wanted: int, distance: Distance, beside: Sequence[int]) -> list[int]:
    """From all that is left: what ranks nearest to the band that the dial asks most of."""
    if wanted < 1:
        return []
    ranks = np.searchsorted(-survey.ranking, -survey.cosines[rows])
    asked = shares(distance, 100)
    middle = sum(survey.span(max(asked, key=lambda band: asked[band]))) / 2
    worth = -np.abs(ranks - middle).astype(np.float32) / max(1, len(survey.ranking))
    return draw(survey, rows, wanted, worth, variety=0.1, beside=beside)
