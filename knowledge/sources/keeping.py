"""From entries to snippets: what is new is added, what changed takes the place of what it was, doubles join their
first.

Two entries are doubles when they have the same canonical address, or when they mean the same: the cosine between them
is SAME or more. A double adds no snippet; it is noted beside the one that said it first, and is taken in when that one
goes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import Embedder
from knowledge.embedding import passage
from knowledge.readers.feed import Entry
from knowledge.rows import content_hash
from knowledge.store import Store
from knowledge.types import Collection, Draft, Source

SAME = 0.92
"""The cosine from which on two texts say the same (all-MiniLM-L6-v2).

Measured on the starter collection: of its 1,010 snippets no two are nearer than 0.834, and those tell the same story;
of nine pairs that were written to look alike (issues 41 and 42, a show that opens and closes) the nearest had 0.885.
Copies as feeds make them (another site's name in the title, "via", a footer, a word changed, the last fifth cut off)
have 0.92 or more in 95 of 100 cases. tests/knowledge/test_doubles.py looks whether that still holds.
"""
ENTRIES_AT_ONCE = 8
TEXTS_AT_ONCE = 16  # embedded in one go, half a second's work: in a bot, others wait for the embedder meanwhile

Vectors = NDArray[np.float32]


class Neighbours(Protocol):
    """What finds the nearest snippets of a source's collection."""

    def nearest(self, vectors: Vectors, limit: int) -> list[list[tuple[int, float]]]:
        """For each of `vectors`, shape (n, d), at most `limit` snippets, (id, cosine), nearest first."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of entries: snippets added and removed, entries that were updated, joined, unchanged."""

    added: int = 0
    removed: int = 0
    updated: int = 0
    joined: int = 0
    unchanged: int = 0

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            self.added + other.added,
            self.removed + other.removed,
            self.updated + other.updated,
            self.joined + other.joined,
            self.unchanged + other.unchanged,
        )


NOTHING = Kept()


@dataclass(slots=True)
class _Plan:
    """What is to be done with one entry.

    own: its snippets by content hash, from before. fresh: drafts that the collection lacks. vectors:
    theirs, a row each. known: whether it was met before. first: the snippet that it joins. accepted: places in `fresh`
    of what is added.
    """

    entry: Entry
    digest: str
    own: dict[str, int]
    known: bool
    fresh: list[Draft] = field(default_factory=list)
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    first: int | None = None
    accepted: list[int] = field(default_factory=list)
    joins: _Plan | None = None  # one of the same go
    ids: tuple[int, ...] = ()

    def going(self) -> list[int]:
        """The snippets of the entry that say what it no longer says."""
        said = set(map(content_hash, self.entry.drafts))
        return [number for digest, number in self.own.items() if digest not in said]


def keep(
    store: Store, embedder: Embedder, near: Neighbours | None, source: Source, entries: Sequence[Entry]
) -> Generator[Kept, None, None]:
    """Take the entries of a source in, a few at a time; yields what became of those, which is there for good.

    An entry that had joined another one, which then changed, has lost its first: the same call again takes it in.

    near: finds doubles by meaning; None to take in all that is not word for word there, as for a page that a person
    asked for by its address.

    Raises:
        StoreError: also when the source was removed meanwhile. EmbedderError: not enough memory.
    """
    waiting = iter(entries)
    while some := list(islice(waiting, ENTRIES_AT_ONCE)):
        yield _keep_some(store, embedder, near, source, some)


def _keep_some(
    store: Store, embedder: Embedder, near: Neighbours | None, source: Source, entries: Sequence[Entry]
) -> Kept:
    plans = [plan for entry in entries if (plan := _plan(store, source, entry, near is not None))]
    fresh = [draft for plan in plans for draft in plan.fresh]
    if fresh:
        vectors = np.concatenate(
            [
                embedder.embed([passage(draft) for draft in fresh[start : start + TEXTS_AT_ONCE]])
                for start in range(0, len(fresh), TEXTS_AT_ONCE)
            ]
        )
        start = 0
        for plan in plans:
            plan.vectors = vectors[start : start + len(plan.fresh)]
            start += len(plan.fresh)
        _choose(plans, near)
    kept = Kept(unchanged=len(entries) - len(plans))
    with store.transaction():
        for plan in plans:
            kept += _write(store, embedder.name, source, plan)
    return kept


def _plan(store: Store, source: Source, entry: Entry, joins: bool) -> _Plan | None:
    """What is to be done with an entry; None when it is as it was."""
    with store.transaction():
        row = store.db.execute(
            "SELECT id, digest FROM entries WHERE source_id = ? AND key = ?", (source.id, entry.key)
        ).fetchone()
        digest = _digest(entry)
        if row and row[1] == digest:
            return None
        own = store.db.execute(
            "SELECT s.content_hash, s.id FROM entry_snippets e JOIN snippets s ON s.id = e.snippet_id"
            " WHERE e.entry_id = ?",
            (row[0] if row else None,),
        ).fetchall()
        plan = _Plan(entry, digest, dict(own), row is not None)
        if joins and not own:
            plan.first = _elsewhere(store, source, entry.key)
        if plan.first is None:
            plan.fresh = store.unknown(_collection(source), entry.drafts)
            if not plan.fresh and not own:
                plan.first = _saying(store, source, entry.drafts)
        return plan


def _choose(plans: Sequence[_Plan], near: Neighbours | None) -> None:
    """Settle which fresh drafts are added, and whom an entry joins that has none."""
    going = {number for plan in plans for number in plan.going()}
    vectors = np.concatenate([plan.vectors for plan in plans if plan.fresh])
    limit = len(going) + max(len(plan.own) for plan in plans) + 1
    found = iter(near.nearest(vectors, limit) if near else ())
    taken: list[tuple[NDArray[np.float32], _Plan]] = []
    for plan in plans:
        passed_over = going.union(plan.own.values())
        for place, vector in enumerate(plan.vectors if plan.fresh else ()):
            hits = next(found, [])
            hit = next((number for number, cosine in hits if number not in passed_over and cosine >= SAME), None)
            double = next((other for seen, other in taken if near and float(seen @ vector) >= SAME), None)
            if hit is not None:
                plan.first = plan.first or hit
            elif double is None:
                plan.accepted.append(place)
                taken.append((vector, plan))
            elif double is not plan:
                plan.joins = plan.joins or double


def _write(store: Store, embedder: str, source: Source, plan: _Plan) -> Kept:
    """Put an entry into the store as planned; within a transaction."""
    removed = store.remove(plan.going())
    if plan.accepted:
        drafts = [plan.fresh[place] for place in plan.accepted]
        plan.ids = store.add(source, drafts, plan.vectors[plan.accepted], embedder).ids
    first: int | None = None
    if len(plan.ids) + len(plan.own) == removed:
        first = _still_there(store, plan.first or next(iter(plan.joins.ids if plan.joins else ()), None))
        if first is None and plan.entry.drafts:
            return Kept(removed=removed)  # what it was to join went meanwhile: it is met again
    row = store.db.execute(
        "INSERT INTO entries (source_id, key, digest, first) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (source_id, key) DO UPDATE SET digest = excluded.digest, first = excluded.first RETURNING id",
        (source.id, plan.entry.key, plan.digest, first),
    ).fetchone()
    store.db.conn.executemany(
        "INSERT OR REPLACE INTO entry_snippets VALUES (?, ?)", [(number, row[0]) for number in plan.ids]
    )
    return Kept(len(plan.ids), removed, updated=int(plan.known), joined=int(first is not None))


def _still_there(store: Store, snippet_id: int | None) -> int | None:
    row = store.db.execute("SELECT id FROM snippets WHERE id = ?", (snippet_id,)).fetchone()
    return int(row[0]) if row else None


def _elsewhere(store: Store, source: Source, key: str) -> int | None:
    """The first snippet of an entry of this key in another source of the collection."""
    row = store.db.execute(
        "SELECT min(x.snippet_id) FROM entries e JOIN sources s ON s.id = e.source_id"
        " JOIN entry_snippets x ON x.entry_id = e.id WHERE e.key = ? AND s.collection_id = ? AND s.id != ?",
        (key, source.collection_id, source.id),
    ).fetchone()
    return row[0] if row else None


def _saying(store: Store, source: Source, drafts: Sequence[Draft]) -> int | None:
    """The snippet of the collection that says word for word what one of these drafts says."""
    for draft in drafts:
        row = store.db.execute(
            "SELECT id FROM snippets WHERE collection_id = ? AND content_hash = ?",
            (source.collection_id, content_hash(draft)),
        ).fetchone()
        if row:
            return int(row[0])
    return None


def _digest(entry: Entry) -> str:
    """The mark of all that an entry says, its particulars included."""
    said = repr(
        [(content_hash(draft), draft.date, draft.author, draft.address, draft.licence) for draft in entry.drafts]
    )
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _collection(source: Source) -> Collection:
    return Collection(source.collection_id, "", "")
