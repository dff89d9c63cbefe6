"""FAISS structures that find the nearest of many vectors, by id. They know nothing of snippets, stores or files.

Two of them: exact, which compares the query with every vector, and approximate, which compares it with an outline of
every vector and then exactly with those that came out best. Outlines rather than an inverted file: of a million vectors
as hard to tell apart as real ones (see bench/retrieval.py) that took fifty times as long to build, and found fewer of
the nearest in three times the time. An HNSW graph took longer still to build, and takes no deletions as they come.

Large ones keep vectors in half precision: no loss of recall, half the memory, and two thirds of the time or less,
because a search waits for memory most of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

HALF_ABOVE = 20_000  # vectors: from here on half precision is worth its rounding, which may swap two equally near ones
SAMPLE = 4096  # vectors that the code of outlines is learned from, at most

_WIDE = 128  # dimensions; below, four bits for two of them would tell too little
LOOKED_AT = 6  # times as many as are wanted are compared exactly: with 4, one in 200 of the ten nearest was missed
_MOST_ASKED = 1000  # of the nearest to ask for, where some are not allowed; beyond that those allowed are compared


def faiss() -> Any:
    """FAISS, imported when first needed. Its type stubs lag behind it, hence Any."""
    import faiss as module

    return module


@contextmanager
def threads(count: int) -> Iterator[None]:
    """At most `count` threads of FAISS's for the calling thread while it lasts.

    The bound is put back afterwards, for other libraries may share the same OpenMP.
    """
    before = faiss().omp_get_max_threads()
    faiss().omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss().omp_set_num_threads(before)


class Nearest(Protocol):
    """Vectors of length 1 by id, and a search for the nearest."""

    index: Any

    def ids(self) -> Ids:
        """The ids held, in no order."""

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Hold these too: shapes (n,) and (n, d). None may be held already."""

    def remove(self, ids: Ids) -> None:
        """Hold these, all of which are held, no longer."""

    def search(self, query: Vectors, limit: int, allowed: Ids | None) -> tuple[Ids, Vectors]:
        """Ids and cosines of those nearest to `query`, (d,), best first: (m,) each, m at most `limit`.

        Only those of `allowed`, all of which must be held, are found, unless it is None.
        """

    def vectors(self, ids: Ids) -> Vectors:
        """The vectors of these ids, all of which must be held: (n, d), perhaps as half precision keeps them."""

    def suits(self, count: int, exact_limit: int) -> bool:
        """Whether this structure is still a good one for `count` vectors, or should be built anew."""


class Exact:
    """Every vector is compared: recall 1, time in proportion to their number."""

    def __init__(self, index: Any) -> None:
        self.index = index  # an IndexIDMap: of rows, which are numbered, it makes ids
        self._placed: tuple[Ids, Ids, Ids] | None = None  # the id of each row; the ids ascending, and their rows

    @classmethod
    def empty(cls, dimension: int, count: int = 0) -> Exact:
        """One that holds nothing yet, made for `count` vectors."""
        flat = faiss().IndexFlatIP(dimension) if count <= HALF_ABOVE else _in_half(dimension)
        return cls(faiss().IndexIDMap(flat))

    @property
    def _flat(self) -> Any:
        """The structure that keeps the vectors themselves, row by row."""
        return faiss().downcast_index(self.index.index)

    @property
    def _kept_as(self) -> type[np.floating[Any]]:
        return np.float16 if self._flat.code_size == 2 * self._flat.d else np.float32

    def ids(self) -> Ids:
        return np.asarray(faiss().vector_to_array(self.index.id_map), np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        before = self.index.ntotal
        self.index.add_with_ids(vectors, ids)
        if self._placed is not None and _ascend(self._placed[1], ids):  # as a library grows: nothing to sort anew
            held, ascending, order = self._placed
            rows = np.arange(before, before + len(ids))
            self._placed = np.append(held, ids), np.append(ascending, ids), np.append(order, rows)
        else:
            self._placed = None

    def remove(self, ids: Ids) -> None:
        self.index.remove_ids(ids)
        self._placed = None

    def search(self, query: Vectors, limit: int, allowed: Ids | None) -> tuple[Ids, Vectors]:
        if allowed is not None:
            return self._compared(query, limit, allowed)
        return _answer(self.index, query, limit)

    def vectors(self, ids: Ids) -> Vectors:
        # FAISS's own memory, read in place: several times as quick as its reconstruct_batch, which a retrieval would
        # feel.
        flat = self._flat
        codes = faiss().rev_swig_ptr(flat.codes.data(), flat.codes.size()).reshape(flat.ntotal, -1)
        return np.asarray(codes[self._rows(ids)].view(self._kept_as), np.float32)

    def suits(self, count: int, exact_limit: int) -> bool:
        # Not in full precision again until well below: it would be built anew at every step across.
        in_half = self._kept_as is np.float16
        return count <= exact_limit and (count > HALF_ABOVE / 2 if in_half else count <= HALF_ABOVE)

    def _compared(self, query: Vectors, limit: int, allowed: Ids) -> tuple[Ids, Vectors]:
        """As `search`, each of `allowed` compared. By row: a bit each, where FAISS would look ids up in a table."""
        permitted = np.zeros(8 * math.ceil(self.index.ntotal / 8), bool)
        permitted[self._rows(allowed)] = True
        selector = faiss().IDSelectorBitmap(np.packbits(permitted, bitorder="little"))
        rows, cosines = _answer(self._flat, query, limit, faiss().SearchParameters(sel=selector))
        return self._places()[0][rows], cosines

    def _rows(self, ids: Ids) -> Ids:
        _, ascending, order = self._places()
        return order[np.searchsorted(ascending, ids)]

    def _places(self) -> tuple[Ids, Ids, Ids]:
        if self._placed is None:
            held = self.ids()
            order = np.argsort(held)
            self._placed = held, held[order], order
        return self._placed


class Approximate(Exact):
    """Every vector is compared in outline, and `LOOKED_AT` times as many as are wanted exactly.

    An outline is a product quantization (Jégou, Douze and Schmid 2011, "Product quantization for nearest neighbor
    search") of four bits for every two dimensions, or for each of narrow vectors, which FAISS compares within the
    processor's registers (André, Kermarrec and Le Scouarnec 2015, "Cache locality is not enough").
    """

    @classmethod
    def trained(cls, sample: Vectors) -> Approximate:
        """One that holds nothing, its outlines' code learned from `sample`, (n, d)."""
        dimension, product = sample.shape[1], faiss().METRIC_INNER_PRODUCT
        pairs = dimension % 2 == 0 and dimension >= _WIDE
        outlines = faiss().IndexPQFastScan(dimension, dimension // 2 if pairs else dimension, 4, product)
        outlines.pq.cp.min_points_per_centroid = 1
        outlines.pq.cp.niter = 10
        index = faiss().IndexIDMap(faiss().IndexRefine(outlines, _in_half(dimension)))
        index.train(sample)
        return cls(index)

    @property
    def _refined(self) -> Any:
        return faiss().downcast_index(self.index.index)

    @property
    def _flat(self) -> Any:
        return faiss().downcast_index(self._refined.refine_index)

    def remove(self, ids: Ids) -> None:
        # FAISS removes from either part, not from both together. Rows that follow move up, in both.
        rows = self._rows(ids)
        kept = np.delete(self._places()[0], rows)
        for part in (self._refined.base_index, self._flat):
            faiss().downcast_index(part).remove_ids(faiss().IDSelectorBatch(rows))
        faiss().copy_array_to_vector(kept, self.index.id_map)
        self.index.ntotal = self._refined.ntotal = len(kept)
        self._placed = None

    def search(self, query: Vectors, limit: int, allowed: Ids | None) -> tuple[Ids, Vectors]:
        parameters = faiss().IndexRefineSearchParameters(k_factor=LOOKED_AT)
        if allowed is None:
            return _answer(self.index, query, limit, parameters)
        # As many as would hold twice what is wanted, were those allowed like all others. Where they are not, or few:
        asked = math.ceil(2 * limit * self.index.ntotal / max(1, len(allowed)))
        if asked <= _MOST_ASKED:
            ids, cosines = _answer(self.index, query, asked, parameters)
            found = np.isin(ids, allowed)
            if found.sum() >= limit:
                return ids[found][:limit], cosines[found][:limit]
        return self._compared(query, limit, allowed)

    def suits(self, count: int, exact_limit: int) -> bool:
        # Not exact again until well below the limit, lest it be built anew at every step across it.
        return count > exact_limit / 2


def opened(index: Any) -> Nearest:
    """What an index that was read from a file is."""
    inner = faiss().downcast_index(index.index)
    return Approximate(index) if isinstance(inner, faiss().IndexRefine) else Exact(index)


def _in_half(dimension: int) -> Any:
    return faiss().IndexScalarQuantizer(dimension, faiss().ScalarQuantizer.QT_fp16, faiss().METRIC_INNER_PRODUCT)


def _answer(index: Any, query: Vectors, limit: int, parameters: Any = None) -> tuple[Ids, Vectors]:
    """What a FAISS structure finds for one query, without the gaps of -1 where there are fewer."""
    cosines, ids = index.search(query[np.newaxis], limit, params=parameters)
    found = ids[0] >= 0
    return ids[0][found], cosines[0][found]


def _ascend(ids: Ids, more: Ids) -> bool:
    """Whether `more` ascend, and above `ids`, which do."""
    return bool((np.diff(more) > 0).all()) and (not len(ids) or not len(more) or bool(more[0] > ids[-1]))
