"""The ledger of fetches: how those of each source went, and when its next is due. It fetches nothing itself.

After a failure the pause doubles, up to a day, and every pause is a little longer or shorter by chance, so that a
hundred feeds that were added together, or a server that comes back, do not see a hundred requests at once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from knowledge.errors import FetchError, KindlingError
from knowledge.readers.decoding import shorten
from knowledge.sources.harvest import FEED
from knowledge.store import Store
from knowledge.types import Collection, Source

EVERY = timedelta(hours=1)
LONGEST = timedelta(days=1)
JITTER = 0.2  # of a pause, more or less
ERROR_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A source to fetch, with the marks of its last fetch."""

    source: Source
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """How a source is doing. Times are ISO 8601, UTC.

    snippets, joined: what it has now, and how many entries joined what was there before. fetched_at: the last time it
    could be had. due_at: of the next fetch, None when it is not fetched by itself. added: snippets by the last fetch
    that found it changed. failures: fetches that failed since the last good one, `error` says why the last did.
    """

    source: Source
    snippets: int
    joined: int
    fetched_at: str | None
    due_at: str | None
    added: int
    failures: int
    error: str | None


def follow(store: Store, collection: Collection, address: str, title: str, now: datetime) -> Source:
    """The feed at `address` as a source of the collection, due now if it is new."""
    source = store.source(collection, FEED, address, title or address)
    with store.transaction():
        store.db.execute("INSERT OR IGNORE INTO fetches (source_id, due_at) VALUES (?, ?)", (source.id, _text(now)))
    return source


def is_there(store: Store, source: Source) -> bool:
    """Whether the source is in the library still."""
    with store.transaction():
        return store.db.execute("SELECT 1 FROM sources WHERE id = ?", (source.id,)).fetchone() is not None


def due(store: Store, now: datetime | None, collection: Collection | None = None) -> list[Due]:
    """The feeds that are due at `now`, longest due first; all that are followed when it is None.

    Of one collection, or of all.
    """
    with store.transaction():
        rows = store.db.execute(
            "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at, f.etag, f.last_modified"
            " FROM fetches f JOIN sources s ON s.id = f.source_id WHERE s.kind = ? AND f.due_at <= ifnull(?, f.due_at)"
            " AND s.collection_id = ifnull(?, s.collection_id) ORDER BY f.due_at",
            (FEED, now and _text(now), collection and collection.id),
        ).fetchall()
    return [Due(Source(*row[:6]), row[6], row[7]) for row in rows]


def note_fetched(
    store: Store,
    source: Source,
    now: datetime,
    marks: tuple[str | None, str | None],
    added: int | None,
    every: timedelta = EVERY,
    title: str = "",
) -> None:
    """Note that a source could be had.

    marks: ETag and Last-Modified. added: snippets that it brought, None when it was unchanged. every: the pause until
    the next fetch. title: what it calls itself now.
    """
    due_at = _text(now + every * _chance()) if source.kind == FEED else None
    with store.transaction():
        store.db.execute(
            "INSERT INTO fetches (source_id, etag, last_modified, tried_at, fetched_at, due_at, added)"
            " SELECT id, ?, ?, ?, ?, ?, ifnull(?, 0) FROM sources WHERE id = ?"
            " ON CONFLICT (source_id) DO UPDATE SET etag = excluded.etag, last_modified = excluded.last_modified,"
            " tried_at = excluded.tried_at, fetched_at = excluded.fetched_at, due_at = excluded.due_at,"
            " added = ifnull(?, added), failures = 0, error = NULL",
            (*marks, _text(now), _text(now), due_at, added, source.id, added),
        )
        if title:
            store.db.execute("UPDATE sources SET title = ? WHERE id = ?", (title, source.id))


def note_failed(store: Store, source: Source, now: datetime, error: KindlingError, every: timedelta = EVERY) -> None:
    """Note that a source could not be had, and why. One that is gone for good is not fetched again by itself."""
    gone, asked = (error.gone, error.retry_after) if isinstance(error, FetchError) else (False, None)
    with store.transaction():
        row = store.db.execute("SELECT failures FROM fetches WHERE source_id = ?", (source.id,)).fetchone()
        if row is None:
            return  # it was removed meanwhile
        pause = max(pause_after(row[0] + 1, every), timedelta(seconds=asked or 0))
        store.db.execute(
            "UPDATE fetches SET tried_at = ?, due_at = ?, failures = failures + 1, error = ? WHERE source_id = ?",
            (_text(now), None if gone else _text(now + pause), shorten(str(error), ERROR_CHARACTERS), source.id),
        )


def pause_after(failures: int, every: timedelta = EVERY) -> timedelta:
    """How long to wait after so many failures in a row: twice as long for each, a day at the most, give or take."""
    doubled: timedelta = every * float(2 ** min(failures, 16))
    return min(doubled, max(LONGEST, every)) * _chance()


def health(store: Store, collection: Collection) -> list[Health]:
    """How the sources of a collection that live on the web are doing, newest first."""
    with store.transaction():
        rows: Sequence[tuple[object, ...]] = store.db.execute(
            "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at,"
            " (SELECT count(*) FROM snippets WHERE source_id = s.id),"
            " (SELECT count(*) FROM entries WHERE source_id = s.id AND first IS NOT NULL),"
            " f.fetched_at, f.due_at, f.added, f.failures, f.error"
            " FROM fetches f JOIN sources s ON s.id = f.source_id WHERE s.collection_id = ? ORDER BY s.id DESC",
            (collection.id,),
        ).fetchall()
    return [Health(Source(*row[:6]), *row[6:]) for row in rows]  # type: ignore[arg-type]


def _chance() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
