"""The store: every collection, source, snippet and vector, in one SQLite file. It is the only truth.

Indexes are derived from it and may be thrown away. It knows how snippets are kept and matched word by word; it does not
know how vectors are made, nor what is near to what.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from knowledge import migrations
from knowledge.database import BUSY_SECONDS, open_database, transaction, translated_errors
from knowledge.errors import StoreError
from knowledge.rows import (
    INSERT_SNIPPET,
    SNIPPETS_BY_ID,
    SNIPPETS_WITHOUT_VECTOR,
    Rows,
    as_arrays,
    as_blobs,
    as_json,
    as_snippet,
    conditions,
    content_hash,
    draft_columns,
)
from knowledge.types import Collection, Draft, Filters, Snippet, Source
from knowledge.wording import Wording

NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Added:
    """What `Store.add` did: the ids of the new snippets, in order, and how many drafts were there already."""

    ids: tuple[int, ...]
    unchanged: int


class Store:
    """The library in one SQLite file. A store belongs to the thread that opened it; open one for each thread.

    Any number of processes may have the same file open. Every method may raise StoreBusy, StoreFull or StoreError.

    Attributes:
        path: the file.
        db: the sqlite-utils database, for tables that others keep in the same file. Use it inside `transaction()`.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        """Open or create the file at `path`; wait at most `busy_seconds` for another process to let go of a lock.

        Raises:
            StoreTooNew: it was made by a newer Kindling. StoreError: it is no SQLite file or cannot be written.
        """
        self.path = path
        self.db = open_database(path, busy_seconds)
        try:
            with translated_errors(path):
                migrations.apply_migrations(self.db, migrations.knowledge)
        except BaseException:
            self.db.close()
            raise
        self._wording = Wording(self._rows)

    def close(self) -> None:
        """Close the file. A store is of no use afterwards."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, with the write lock from the start; may be nested.

        sqlite3's errors come out as StoreError and its kin.
        """
        with translated_errors(self.path), transaction(self.db):
            yield

    # Collections and sources

    def collection(self, space: str, name: str) -> Collection:
        """The collection called `name` in `space`, created if need be."""
        found = self._collection(space, name)
        if found is None:
            with self.transaction():
                self.db.execute(
                    "INSERT INTO collections (space, name, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (space, name, secrets.token_hex(8)),
                )
        return found or self.collection(space, name)

    def collections(self, space: str | None = None) -> list[Collection]:
        """Every collection of `space`, or of all spaces, oldest first."""
        rows = self._rows(
            "SELECT id, space, name FROM collections WHERE space = ifnull(?, space) ORDER BY id", (space,)
        )
        return [Collection(*row) for row in rows]

    def remove_collection(self, collection: Collection) -> int:
        """Delete a collection and all in it; returns how many snippets went."""
        with self.transaction():
            count = self.count(collection)
            self.db.execute("DELETE FROM collections WHERE id = ?", (collection.id,))
        return count

    def revision(self, collection: Collection) -> int:
        """A number that grows with every change to the collection's snippets or vectors, deletions included."""
        return self._mark(collection)[0]

    def key(self, collection: Collection) -> str:
        """A random name that no other collection of any store has: for files that are derived from this one."""
        return self._mark(collection)[1]

    def source(self, collection: Collection, kind: str, address: str, title: str) -> Source:
        """The source with that kind and address in `collection`, created under `title` if need be."""
        found = self._source(collection, kind, address)
        if found is None:
            added_at = datetime.now(UTC).isoformat(timespec="seconds")
            with self._writing("the collection is no longer there; start again"):
                self.db.execute(
                    "INSERT INTO sources (collection_id, kind, address, title, added_at) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (collection.id, kind, address, title, added_at),
                )
        return found or self.source(collection, kind, address, title)

    def sources(self, collection: Collection) -> list[Source]:
        """Every source of the collection, oldest first."""
        rows = self._rows(
            "SELECT id, collection_id, kind, address, title, added_at FROM sources WHERE collection_id = ? ORDER BY id",
            (collection.id,),
        )
        return [Source(*row) for row in rows]

    def remove_source(self, source: Source) -> int:
        """Delete a source and its snippets; returns how many snippets went."""
        with self.transaction():
            ids = [row[0] for row in self._rows("SELECT id FROM snippets WHERE source_id = ?", (source.id,))]
            self.remove(ids)
            self.db.execute("DELETE FROM sources WHERE id = ?", (source.id,))
        return len(ids)

    def digest(self, source: Source) -> str | None:
        """What `set_digest` noted of the source; None when nothing was, or when some of its snippets went since."""
        rows = self._rows("SELECT digest FROM sources WHERE id = ?", (source.id,))
        return rows[0][0] if rows else None

    def set_digest(self, source: Source, digest: str) -> None:
        """Note that all of the source, in the state of which `digest` is the mark, is in the store now."""
        with self.transaction():
            self.db.execute("UPDATE sources SET digest = ? WHERE id = ?", (digest, source.id))

    # Snippets

    def unknown(self, collection: Collection, drafts: Iterable[Draft]) -> list[Draft]:
        """Those drafts that the collection does not hold, in order, each once: the ones worth embedding."""
        fresh: dict[str, Draft] = {}
        for draft in drafts:
            fresh.setdefault(content_hash(draft), draft)
        known = self._rows(
            "SELECT content_hash FROM snippets WHERE collection_id = ?"
            " AND content_hash IN (SELECT value FROM json_each(?))",
            (collection.id, json.dumps(list(fresh))),
        )
        for (digest,) in known:
            del fresh[digest]
        return list(fresh.values())

    def add(self, source: Source, drafts: Sequence[Draft], vectors: NDArray[np.float32], embedder: str) -> Added:
        """Add drafts with their vectors in one transaction: all or none. One that is there already is left as it is.

        Args:
            vectors: one row of length 1 for each draft, shape (n, d), float32. embedder: the name of what made them.

        Raises:
            StoreError: the source was removed meanwhile. ValueError: the vectors do not fit.
        """
        blobs = as_blobs(vectors, len(drafts))
        ids: list[int] = []
        with self._writing(f"{source.title} is no longer in the library; add it again"):
            for draft, blob in zip(drafts, blobs, strict=True):
                cursor = self.db.execute(INSERT_SNIPPET, (source.collection_id, source.id, *draft_columns(draft)))
                if cursor.rowcount == 1:
                    snippet_id = int(cursor.lastrowid or 0)
                    self.db.execute("INSERT INTO vectors VALUES (?, ?, ?)", (snippet_id, embedder, blob))
                    ids.append(snippet_id)
            self._revise_holding(as_json(ids))
        return Added(tuple(ids), len(drafts) - len(ids))

    def remove(self, snippet_ids: Iterable[int]) -> int:
        """Delete snippets, their vectors and words; returns how many there were."""
        ids = as_json(snippet_ids)
        with self.transaction():
            self._revise_holding(ids)
            self.db.execute(
                "UPDATE sources SET digest = NULL WHERE id IN (SELECT source_id FROM snippets"
                " WHERE id IN (SELECT value FROM json_each(?)))",
                (ids,),
            )
            return self.db.execute("DELETE FROM snippets WHERE id IN (SELECT value FROM json_each(?))", (ids,)).rowcount

    def snippets(self, ids: Iterable[int]) -> list[Snippet]:
        """The snippets with these ids, in that order; those that are gone are left out."""
        wanted = list(ids)
        rows = self._rows(SNIPPETS_BY_ID, (as_json(wanted),))
        found = {row[0]: as_snippet(row) for row in rows}
        return [found[snippet_id] for snippet_id in wanted if snippet_id in found]

    def ids(self, collection: Collection) -> list[int]:
        """The ids of every snippet of the collection, ascending."""
        rows = self._rows("SELECT id FROM snippets WHERE collection_id = ? ORDER BY id", (collection.id,))
        return [row[0] for row in rows]

    def count(self, collection: Collection) -> int:
        """How many snippets the collection holds."""
        return int(self._rows("SELECT count(*) FROM snippets WHERE collection_id = ?", (collection.id,))[0][0])

    # Finding

    def search(
        self, collections: Iterable[Collection], query: str, limit: int, filters: Filters = NO_FILTERS
    ) -> list[tuple[int, float]]:
        """Full text: (id, score) of the snippets that share words with `query`, best first, at most `limit`.

        The score is Okapi BM25 as SQLite's FTS5 computes it, its sign turned so that larger is better. Any text will do
        as a query. Word frequencies are those of the whole file: they weigh words, and tell nobody who wrote them.
        Words that very many snippets have are left out beside rarer ones: they tell little and would take all the time.
        """
        return self._wording.search(collections, query, limit, filters)

    def shared_words(self, ids: Iterable[int], query: str) -> dict[int, str]:
        """For those of `ids` that share words with `query`: the longest such word, as the snippet writes it."""
        return self._wording.shared(ids, query)

    def matching(self, collections: Iterable[Collection], filters: Filters) -> set[int] | None:
        """The ids of the snippets that satisfy `filters`, or None when there is no condition.

        Raises:
            BadInput: `since` or `until` is no date.
        """
        if filters == NO_FILTERS:
            return None
        condition, values = conditions(collections, filters)
        rows = self._rows("SELECT s.id FROM snippets AS s WHERE " + condition, values)  # noqa: S608 (no value in it)
        return {row[0] for row in rows}

    def ids_of_sources(self, source_ids: Iterable[int]) -> NDArray[np.int64]:
        """The ids of all snippets of these sources, ascending, shape (n,)."""
        rows = self._rows(
            "SELECT id FROM snippets WHERE source_id IN (SELECT value FROM json_each(?)) ORDER BY id",
            (as_json(source_ids),),
        )
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def dates(self, collections: Iterable[Collection]) -> list[tuple[int, str]]:
        """The snippets that have a date: (id, date), by id."""
        condition, values = conditions(collections, NO_FILTERS)
        rows = self._rows(
            "SELECT s.id, s.date FROM snippets AS s WHERE s.date IS NOT NULL AND " + condition + " ORDER BY s.id",  # noqa: S608 (no value in it)
            values,
        )
        return [(snippet_id, text) for snippet_id, text in rows]

    # Vectors

    def vector_ids(self, collection: Collection, embedder: str) -> NDArray[np.int64]:
        """The ids of the snippets that have a vector made by `embedder`, ascending, shape (n,)."""
        rows = self._rows(
            "SELECT s.id FROM snippets AS s JOIN vectors AS v ON v.snippet_id = s.id"
            " WHERE s.collection_id = ? AND v.embedder = ? ORDER BY s.id",
            (collection.id, embedder),
        )
        return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))

    def vectors(
        self, collection: Collection, embedder: str, after: int = 0, limit: int = -1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids above `after`, ascending, and their vectors made by `embedder`: shapes (n,) and (n, d); (0,) and (0, 0).

        At most `limit` of them, or all when it is negative.
        """
        return as_arrays(
            self._rows(
                "SELECT s.id, v.vector FROM snippets AS s JOIN vectors AS v ON v.snippet_id = s.id"
                " WHERE s.collection_id = ? AND v.embedder = ? AND s.id > ? ORDER BY s.id LIMIT ?",
                (collection.id, embedder, after, limit),
            )
        )

    def vectors_of(self, ids: Iterable[int], embedder: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As `vectors`, for those of `ids` that have one made by `embedder`."""
        return as_arrays(
            self._rows(
                "SELECT snippet_id, vector FROM vectors WHERE embedder = ?"
                " AND snippet_id IN (SELECT value FROM json_each(?)) ORDER BY snippet_id",
                (embedder, as_json(ids)),
            )
        )

    def without_vectors(self, collection: Collection, embedder: str) -> list[Snippet]:
        """The snippets that have no vector made by `embedder`: all of them, after the embedder was changed."""
        rows = self._rows(SNIPPETS_WITHOUT_VECTOR, (collection.id, embedder))
        return [as_snippet(row) for row in rows]

    def set_vectors(self, ids: Sequence[int], vectors: NDArray[np.float32], embedder: str) -> None:
        """Give snippets vectors of another embedder, shape (n, d), float32, in place of those they have.

        Ids that are gone are passed over. Raises ValueError when the vectors do not fit.
        """
        blobs = as_blobs(vectors, len(ids))
        with self.transaction():
            for snippet_id, blob in zip(ids, blobs, strict=True):
                self.db.execute(
                    "INSERT OR REPLACE INTO vectors SELECT id, ?, ? FROM snippets WHERE id = ?",
                    (embedder, blob, snippet_id),
                )
            self._revise_holding(as_json(ids))

    # Within

    def _rows(self, sql: str, values: Sequence[object] = ()) -> Rows:
        with translated_errors(self.path):
            return self.db.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self, orphaned: str) -> Iterator[None]:
        """A transaction in which a parent row that another process deleted is StoreError(orphaned)."""
        try:
            with self.transaction():
                yield
        except sqlite3.IntegrityError as error:
            raise StoreError(orphaned) from error

    def _revise_holding(self, ids: str) -> None:
        """Let the revision of every collection that holds one of these ids grow; within a transaction."""
        self.db.execute(
            "UPDATE collections SET revision = revision + 1 WHERE id IN (SELECT collection_id FROM snippets"
            " WHERE id IN (SELECT value FROM json_each(?)))",
            (ids,),
        )

    def _mark(self, collection: Collection) -> tuple[int, str]:
        rows = self._rows("SELECT revision, key FROM collections WHERE id = ?", (collection.id,))
        if not rows:
            raise StoreError(f"the collection {collection.name} is no longer in the library; start again")
        return rows[0][0], rows[0][1]

    def _collection(self, space: str, name: str) -> Collection | None:
        rows = self._rows("SELECT id, space, name FROM collections WHERE space = ? AND name = ?", (space, name))
        return Collection(*rows[0]) if rows else None

    def _source(self, collection: Collection, kind: str, address: str) -> Source | None:
        rows = self._rows(
            "SELECT id, collection_id, kind, address, title, added_at FROM sources"
            " WHERE collection_id = ? AND kind = ? AND address = ?",
            (collection.id, kind, address),
        )
        return Source(*rows[0]) if rows else None
