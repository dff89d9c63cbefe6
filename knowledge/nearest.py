"""FAISS structures that find the nearest of many vectors, by id. They know nothing of snippets, stores or files.

Two of them: exact, which compares the query with every vector, and approximate (an inverted file), which compares it
with those of the nearest cells. An inverted file rather than an HNSW graph: with 100,000 vectors as hard to tell apart
as real ones (see bench/retrieval.py) it was built in a sixth of the time, takes deletions and filters as they come and
needs no memory beyond the vectors; the graph answered in about half the time.

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
RECALL = 0.97  # of the ten nearest, on the samples that set the number of probes; leaves room above the promised 0.95

_SAMPLES = 128
_TRAINING_POINTS = 40  # for each cell: enough for k-means to place it, and a sixth of the time of FAISS's default


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
        """Hold these no longer."""

    def search(self, queries: Vectors, limit: int, allowed: Ids | None) -> tuple[Vectors, Ids]:
        """Cosines and ids of the nearest to each query, best first: (q, limit) each; id -1 where there are fewer.

        Only those of `allowed` are found, unless it is None.
        """

    def vectors(self, ids: Ids) -> Vectors:
        """The vectors of these ids, all of which must be held: (n, d), perhaps as half precision keeps them."""

    def suits(self, count: int, exact_limit: int) -> bool:
        """Whether this structure is still a good one for `count` vectors, or should be built anew."""


class Exact:
    """Every vector is compared: recall 1, time in proportion to their number."""

    def __init__(self, index: Any) -> None:
        self.index = index
        self._order: tuple[Ids, Ids] | None = None

    @classmethod
    def empty(cls, dimension: int, count: int = 0) -> Exact:
        """One that holds nothing yet, made for `count` vectors."""
        if count <= HALF_ABOVE:
            return cls(faiss().IndexIDMap2(faiss().IndexFlatIP(dimension)))
        half, product = faiss().ScalarQuantizer.QT_fp16, faiss().METRIC_INNER_PRODUCT
        return cls(faiss().IndexIDMap2(faiss().IndexScalarQuantizer(dimension, half, product)))

    @property
    def _kept_as(self) -> type[np.floating[Any]]:
        flat = faiss().downcast_index(self.index.index)
        return np.float16 if flat.code_size == 2 * flat.d else np.float32

    def ids(self) -> Ids:
        return np.asarray(faiss().vector_to_array(self.index.id_map), np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        before = self.index.ntotal
        self.index.add_with_ids(vectors, ids)
        if self._order is not None and _ascend(self._order[0], ids):  # as a library grows: nothing to sort anew
            rows = np.arange(before, before + len(ids))
            self._order = np.concatenate([self._order[0], ids]), np.concatenate([self._order[1], rows])
        else:
            self._order = None

    def remove(self, ids: Ids) -> None:
        self.index.remove_ids(ids)
        self._order = None

    def search(self, queries: Vectors, limit: int, allowed: Ids | None) -> tuple[Vectors, Ids]:
        selector = None if allowed is None else faiss().IDSelectorBatch(allowed)
        return _answer(self.index, queries, limit, faiss().SearchParameters(sel=selector))

    def vectors(self, ids: Ids) -> Vectors:
        # FAISS's own memory, read in place: several times as quick as its reconstruct_batch, which a retrieval would
        # feel.
        if self._order is None:
            held = self.ids()
            order = np.argsort(held)
            self._order = held[order], order
        ascending, order = self._order
        flat = faiss().downcast_index(self.index.index)
        codes = faiss().rev_swig_ptr(flat.codes.data(), flat.codes.size()).reshape(flat.ntotal, -1)
        chosen = codes[order[np.searchsorted(ascending, ids)]].view(self._kept_as)
        return np.asarray(chosen, np.float32)

    def suits(self, count: int, exact_limit: int) -> bool:
        # Not in full precision again until well below: it would be built anew at every step across.
        in_half = self._kept_as is np.float16
        return count <= exact_limit and (count > HALF_ABOVE / 2 if in_half else count <= HALF_ABOVE)


class Approximate:
    """Only the cells nearest to the query are looked through, as many as recall needs.

    How many (`probes`) is measured when it is built, on the vectors themselves: see `tune`.
    """

    def __init__(self, index: Any, probes: int) -> None:
        self.index = index
        self.probes = probes

    @classmethod
    def trained(cls, sample: Vectors, count: int) -> Approximate:
        """One that holds nothing, its cells placed by k-means over `sample` for `count` vectors to come."""
        dimension = sample.shape[1]
        cells = cls.cells_for(count)
        half, product = faiss().ScalarQuantizer.QT_fp16, faiss().METRIC_INNER_PRODUCT
        index = faiss().IndexIVFScalarQuantizer(faiss().IndexFlatIP(dimension), dimension, cells, half, product, False)
        index.cp.spherical = True
        index.cp.niter = 8
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = _TRAINING_POINTS
        index.train(sample)
        index.set_direct_map_type(faiss().DirectMap.Hashtable)  # finds a vector by its id
        return cls(index, probes=cells)

    @staticmethod
    def cells_for(count: int) -> int:
        """FAISS's own advice: some multiple of the square root, between 4 and 16 times."""
        return max(1, round(4 * math.sqrt(count)))

    @classmethod
    def sample_size(cls, count: int) -> int:
        """How many vectors `trained` makes use of, of `count`."""
        return min(count, cls.cells_for(count) * _TRAINING_POINTS)

    def tune(self, sample: Vectors) -> None:
        """Set `probes` to the least that finds RECALL of the ten nearest, as a search of all cells finds them.

        The questions asked are stored vectors each with half of another mixed in: a query is seldom as near to a
        snippet as snippets are to each other, and one between two topics needs more cells than one amid its own.
        """
        questions = sample[:_SAMPLES] + 0.5 * np.roll(sample[:_SAMPLES], 1, axis=0)
        questions /= np.maximum(np.linalg.norm(questions, axis=1, keepdims=True), 1e-12)
        self.probes = self.index.nlist
        _, truth = self.search(questions, 10, None)
        probes = 1
        while probes < self.index.nlist:
            self.probes = probes
            _, found = self.search(questions, 10, None)
            if _recall(found, truth) >= RECALL:
                return
            probes = math.ceil(probes * 1.3)
        self.probes = self.index.nlist

    def ids(self) -> Ids:
        lists = self.index.invlists
        parts = [faiss().rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy() for cell in range(lists.nlist)]
        return np.concatenate(parts).astype(np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        self.index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> None:
        self.index.remove_ids(faiss().IDSelectorArray(ids))  # the one kind that a hash table takes

    def search(self, queries: Vectors, limit: int, allowed: Ids | None) -> tuple[Vectors, Ids]:
        if allowed is None:
            return _answer(self.index, queries, limit, faiss().SearchParametersIVF(nprobe=self.probes))
        # The fewer are allowed, the more cells it takes to meet as many of them. Those not allowed cost next to
        # nothing.
        probes = min(self.index.nlist, math.ceil(self.probes * self.index.ntotal / max(1, len(allowed))))
        parameters = faiss().SearchParametersIVF(nprobe=probes, sel=faiss().IDSelectorBatch(allowed))
        return _answer(self.index, queries, limit, parameters)

    def vectors(self, ids: Ids) -> Vectors:
        return np.asarray(self.index.reconstruct_batch(ids), np.float32)

    def suits(self, count: int, exact_limit: int) -> bool:
        # Not exact again until well below the limit, lest it be built anew at every step across it.
        built_for = (self.index.nlist / 4) ** 2
        return count > exact_limit / 2 and built_for / 3 < count < built_for * 3


def _answer(index: Any, queries: Vectors, limit: int, parameters: Any) -> tuple[Vectors, Ids]:
    cosines, ids = index.search(queries, limit, params=parameters)
    return cosines, ids


def _ascend(ids: Ids, more: Ids) -> bool:
    """Whether `more` ascend, and above `ids`, which do."""
    return bool((np.diff(more) > 0).all()) and (not len(ids) or not len(more) or bool(more[0] > ids[-1]))


def _recall(found: Ids, truth: Ids) -> float:
    """The share of `truth` that is in `found`, row by row."""
    return float(np.mean([np.isin(of, among).mean() for of, among in zip(truth, found, strict=True)]))
