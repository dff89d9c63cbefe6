"""The index: what is near to what in a collection. Derived from the store, and caught up whenever it lags.

It knows vectors and ids; it does not know texts, embedders or filters. One index belongs to one collection and is kept
in one file, which may lag behind the store: it says at which revision it stands. So a kill at any moment costs at most
the time to catch up. When a copy of an older database is put in place of a newer one, delete the index folder with it.
"""

from __future__ import annotations

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from knowledge import indexfile
from knowledge.errors import StoreError
from knowledge.nearest import HALF_ABOVE, SAMPLE, Approximate, Exact, Ids, Nearest, Vectors, opened, threads
from knowledge.types import Collection

EXACT_LIMIT = 50_000  # vectors: some 4 ms to compare
MOST_BYTES = 512 * 2**20  # of memory for all open indexes: some 600,000 vectors of 384 dimensions
BUILD_THREADS = min(4, os.cpu_count() or 1)

_FORMAT = 3
_BATCH = 16_384  # vectors fetched at once: 25 MB of 384 dimensions
_FIXED_BYTES, _BYTES_BESIDE = 4096, 40  # of an index, and of a vector besides itself: ids, their order, their place
_STALE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class VectorSource(Protocol):
    """What an index is derived from: `Store`, in all but tests and benchmarks. For the methods' contracts see there."""

    def collections(self, space: str | None = None) -> list[Collection]: ...

    def revision(self, collection: Collection) -> int: ...

    def count(self, collection: Collection) -> int: ...

    def key(self, collection: Collection) -> str: ...

    def vector_ids(self, collection: Collection, embedder: str) -> Ids: ...

    def vectors(
        self, collection: Collection, embedder: str, after: int = 0, limit: int = -1
    ) -> tuple[Ids, Vectors]: ...

    def vectors_of(self, ids: Iterable[int], embedder: str) -> tuple[Ids, Vectors]: ...


class Index:
    """The vectors of one collection, by snippet id. Belongs to the thread of its source.

    Attributes:
        ids: the snippets it holds, ascending, int64, shape (n,).
    """

    def __init__(
        self,
        folder: Path,
        source: VectorSource,
        collection: Collection,
        embedder: str,
        dimension: int,
        exact_limit: int = EXACT_LIMIT,
        build_threads: int = BUILD_THREADS,
    ) -> None:
        """Read the index of `collection` from `folder`, if it is there and of that embedder, and catch up.

        Args:
            embedder: the name of what made the vectors. dimension: their length. exact_limit: above so many vectors it
                is approximate. build_threads: how many FAISS may use to build.
        """
        self._source = source
        self._collection = collection
        self._embedder = embedder
        self._dimension = dimension
        self._exact_limit = exact_limit
        self._build_threads = build_threads
        self._about: dict[str, str | int] = {
            "format": _FORMAT,
            "collection": source.key(collection),
            "embedder": embedder,
            "dimension": dimension,
        }
        self._path = folder / f"{self._about['collection']}{indexfile.SUFFIX}"
        self._unsaved = 0
        self._complete = False  # whether every snippet of the collection was held at the last look
        self._nearest, self._revision = self._read()
        self.ids: Ids = np.sort(self._nearest.ids())
        self.refresh()

    def refresh(self) -> None:
        """Catch up with the store: quick when nothing changed.

        Raises:
            StoreError: the collection is no longer there.
        """
        # The revision before the ids: a change between the two is met again, never missed.
        revision = self._source.revision(self._collection)
        if revision == self._revision:
            return
        # Counted first: what is added meanwhile makes the count too small, and the long way is gone.
        count = self._source.count(self._collection)
        if self._grown(count):
            self._revision = revision
            self._save_in_time()
            return
        wanted = self._source.vector_ids(self._collection, self._embedder)
        gone = np.setdiff1d(self.ids, wanted, assume_unique=True)
        fresh = np.setdiff1d(wanted, self.ids, assume_unique=True)
        try:
            with threads(self._build_threads):
                if self._nearest.suits(len(wanted), self._exact_limit):
                    if len(gone):
                        self._nearest.remove(gone)
                    for ids, vectors in self._fetched(fresh):
                        self._nearest.add(ids, vectors)
                else:
                    self._nearest = self._built(wanted)
        finally:
            # Also when the store fails half-way: the next time goes on from what is really held.
            self.ids = np.sort(self._nearest.ids())
        self._revision = revision
        self._complete = count == len(self.ids)
        self._unsaved += len(gone) + len(fresh)
        self._save_in_time(deleted=bool(len(gone)))

    def _grown(self, count: int) -> bool:
        """Take in what was added at the end, if nothing else happened since; whether that was all.

        Ids only grow, so whatever is new lies above the last one held. Where every snippet has been held, and there are
        now as many (`count`) as are held and new, none went. So while a library is filled, a search pays for what is
        new and not for all its ids.
        """
        few = 0 <= count - len(self.ids) <= _BATCH
        if not (self._complete and few and len(self.ids) and self._nearest.suits(count, self._exact_limit)):
            return False
        ids, vectors = self._source.vectors(self._collection, self._embedder, int(self.ids[-1]))
        if len(self.ids) + len(ids) != count:
            return False
        if len(ids):
            with threads(self._build_threads):
                self._nearest.add(ids, vectors)
            self.ids = np.concatenate([self.ids, ids])
            self._unsaved += len(ids)
        return True

    def _save_in_time(self, deleted: bool = False) -> None:
        # What was deleted shall not live on in the file. Additions wait until they are worth writing all of it.
        if deleted or self._unsaved > max(256, len(self.ids) // 10):
            self.save()

    def search(
        self, query: NDArray[np.float32], limit: int, allowed: Iterable[int] | None = None
    ) -> tuple[Ids, Vectors]:
        """The snippets nearest to `query`, best first, and their cosines: shapes (m,) and (m,), m at most `limit`.

        Exact up to the exact limit; above it, at least 0.95 of the ten nearest are found. On one thread: a second gains
        little on one query, and on busy cores the two wait for each other, some 50 times as long as the search takes
        (measured with 10,000 vectors).

        Args:
            query: length 1, shape (d,). allowed: only these are looked at, unless it is None.
        """
        permitted = None if allowed is None else self.among(allowed)
        limit = min(limit, len(self.ids if permitted is None else permitted))
        if limit < 1:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        with threads(1):
            return self._nearest.search(query, limit, permitted)

    def among(self, ids: Iterable[int]) -> Ids:
        """Those of `ids` that the index holds, ascending. An array must be ascending already: to sort it costs more."""
        given = ids if isinstance(ids, np.ndarray) else np.fromiter(sorted(set(ids)), dtype=np.int64)
        return given[self.holds(given)]

    def holds(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of `ids` the index holds."""
        if not len(self.ids):
            return np.zeros(len(ids), bool)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.asarray(self.ids[places] == ids)

    def vectors(self, ids: Ids) -> Vectors:
        """The vectors of `ids`, shape (n, d), all of which it must hold; to three digits where there are many."""
        if not len(ids):
            return np.empty((0, self._dimension), np.float32)
        with threads(1):
            return self._nearest.vectors(ids)

    @property
    def bytes_held(self) -> int:
        """About how much memory it takes: vectors, and the ids some times over."""
        number = 2.25 if isinstance(self._nearest, Approximate) else 2 if len(self.ids) > HALF_ABOVE else 4
        return _FIXED_BYTES + len(self.ids) * (round(number * self._dimension) + _BYTES_BESIDE)

    def save(self) -> None:
        """Write the file, unless it is up to date. A full disk is logged and no more: the file only saves time."""
        if not self._unsaved:
            return
        try:
            indexfile.write(self._path, self._nearest.index, {**self._about, "revision": self._revision})
        except OSError as error:
            _log.warning("the index of %s was not saved: %s", self._collection.name, error)
        else:
            self._unsaved = 0

    def _read(self) -> tuple[Nearest, int]:
        """What the file holds, and at which revision; nothing, at none, when there is no such file."""
        try:
            stored, header = indexfile.read(self._path, self._about)
        except FileNotFoundError:
            pass
        except (indexfile.DamagedIndex, OSError) as error:
            _log.info("the index of %s is built anew: %s", self._collection.name, error)
        else:
            return opened(stored), header["revision"]
        return Exact.empty(self._dimension), -1

    def _built(self, wanted: Ids) -> Nearest:
        """A structure that suits the number of `wanted`, with all of them in it."""
        nearest: Nearest
        if len(wanted) <= self._exact_limit:
            nearest = Exact.empty(self._dimension, len(wanted))
        else:
            chosen = np.random.default_rng(0).permutation(wanted)[:SAMPLE]
            nearest = Approximate.trained(np.concatenate([vectors for _, vectors in self._fetched(chosen)]))
        after = 0
        while True:
            ids, vectors = self._source.vectors(self._collection, self._embedder, after, _BATCH)
            if not len(ids):
                break
            nearest.add(ids, vectors)
            after = int(ids[-1])
        return nearest

    def _fetched(self, ids: Ids) -> Iterator[tuple[Ids, Vectors]]:
        for start in range(0, len(ids), _BATCH):
            found = self._source.vectors_of(ids[start : start + _BATCH].tolist(), self._embedder)
            if len(found[0]):
                yield found


class Indexes:
    """The indexes of one folder, each opened when first asked for. Files of collections that are gone are deleted.

    All that are open together take at most about `most_bytes`: beyond that, the ones that were not asked for the
    longest are saved and closed. The one asked for last stays open, however large. Whoever still holds a closed one may
    go on searching it; it catches up no more.
    """

    def __init__(
        self,
        folder: Path,
        source: VectorSource,
        embedder: str,
        dimension: int,
        exact_limit: int = EXACT_LIMIT,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._folder = folder
        self._source = source
        self._settings: dict[str, Any] = {"embedder": embedder, "dimension": dimension, "exact_limit": exact_limit}
        self._most_bytes = most_bytes
        self._open: OrderedDict[Collection, Index] = OrderedDict()  # last asked for last
        self._sweep()

    def of(self, collection: Collection) -> Index:
        """The index of `collection`, caught up with the store.

        Raises:
            StoreError: the collection is no longer there.
        """
        index = self._open.get(collection)
        try:
            if index is None:
                index = self._open[collection] = Index(self._folder, self._source, collection, **self._settings)
            else:
                index.refresh()
        except StoreError:
            self._open.pop(collection, None)
            raise
        self._open.move_to_end(collection)
        self._close_some()
        return index

    @property
    def bytes_open(self) -> int:
        """About how much memory the open indexes take."""
        return sum(index.bytes_held for index in self._open.values())

    def close(self) -> None:
        """Save what is not saved."""
        for index in self._open.values():
            index.save()
        self._open.clear()

    def _close_some(self) -> None:
        held = self.bytes_open
        while held > self._most_bytes and len(self._open) > 1:
            _, oldest = self._open.popitem(last=False)
            held -= oldest.bytes_held
            oldest.save()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _sweep(self) -> None:
        """Delete the files of collections that are gone, and what killed writers left behind."""
        kept = {self._source.key(collection) for collection in self._source.collections()}
        # Tidying up is worth no error: another process may be at it, or the folder not be ours to write.
        with suppress(OSError):
            for path in self._folder.glob(f"*{indexfile.SUFFIX}"):
                if path.stem not in kept:
                    path.unlink()
            for path in self._folder.glob(f"*{indexfile.TEMPORARY_SUFFIX}"):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()
