"""Digests: what came into a space's library, what rises in it, and something to begin with, for channels that ask.

One is made from what the channel's readers may see and nothing else. It learns from keeps: the brief lies near what
people kept, and sparks on the topics of kept ideas come more often. Which were given lately is remembered, so that
they do not come again.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlite_utils import Database, Migrations

from bot.ideation import followed
from bot.ideation.journal import Entry
from bot.ideation.library import Library, spaces_for
from bot.ideation.schedule import Every, Schedule
from bot.ideation.tables import Tables
from bot.ideation.worked import worked_examples
from knowledge.rows import as_json
from knowledge.store import Store
from knowledge.types import Distance, Filters, Hit, Snippet

SCHEMA = Migrations("digests")

SPARKS = 3
DRAWN = 15  # sparks of which those three are chosen
NEWEST = 5  # of what came in, that are named
RISING = 5
REMEMBERED = 60  # sparks, and a third as many briefs, that do not come again
MOST_KEPT = 60  # kept ideas that taste is learned from, the newest

Rising = Callable[[str, Filters], Sequence[str]]
"""What rises in a space, in a few words each, most first; called on the library's thread."""


@SCHEMA(name="0001_digests")
def _digests(db: Database) -> None:
    db.execute(
        """CREATE TABLE digests (
            channel INTEGER PRIMARY KEY, space TEXT NOT NULL, every TEXT NOT NULL, hour INTEGER NOT NULL,
            weekday INTEGER NOT NULL, zone TEXT NOT NULL,
            handled TEXT NOT NULL,          -- the last time that was seen to, in UTC: what is due lies after it
            begun TEXT,                     -- the time whose digest was begun and may have been posted
            seen INTEGER NOT NULL,          -- snippets with a greater id came in since
            given TEXT NOT NULL DEFAULT '{}')"""
    )


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel that asked for a digest. `begun` is the time of one that was begun and not seen to its end."""

    channel: int
    space: str
    schedule: Schedule
    handled: datetime
    begun: datetime | None


@dataclass(frozen=True, slots=True)
class Digest:
    """What one says: how many snippets came in and the newest of them, what rises, a brief, sparks for it."""

    day: str
    count: int
    newest: tuple[Snippet, ...]
    rising: tuple[str, ...]
    brief: str
    sparks: tuple[Hit, ...]
    seen: int


class Digests:
    """The digests of all servers. Every method may raise what the store raises.

    `rising` tells what rises; without it a digest has no word on that.
    """

    def __init__(self, library: Library, rising: Rising | None = None) -> None:
        self._library = library
        self._tables = Tables(library, followed.SCHEMA, SCHEMA)
        self._rising = rising

    async def subscribe(self, space: str, channel_id: int, schedule: Schedule, now: datetime) -> None:
        """Give a channel digests at these times, the first one after `now`."""

        def write(store: Store) -> None:
            with store.transaction():
                newest = store.db.execute("SELECT ifnull(max(id), 0) FROM snippets").fetchone()[0]
                store.db.execute(
                    "INSERT INTO digests (channel, space, every, hour, weekday, zone, handled, seen) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (channel) DO UPDATE SET every = excluded.every, "
                    "hour = excluded.hour, weekday = excluded.weekday, zone = excluded.zone, "
                    "handled = max(handled, excluded.handled), begun = NULL",
                    (
                        *(channel_id, space, schedule.every, schedule.hour, schedule.weekday, schedule.zone),
                        *(_stamp(now), newest),
                    ),
                )

        await self._tables.run(write)

    async def unsubscribe(self, channel_id: int) -> bool:
        """Give it none any more; False when it got none."""

        def delete(store: Store) -> bool:
            with store.transaction():
                return store.db.execute("DELETE FROM digests WHERE channel = ?", [channel_id]).rowcount > 0

        return await self._tables.run(delete)

    async def all(self, space: str | None = None) -> list[Subscription]:
        """The channels of a space that get digests, or of all spaces."""
        return await self._tables.run(_subscriptions, space)

    async def due(self, now: datetime) -> list[tuple[Subscription, datetime]]:
        """The digests that are to be posted now, with their times. Those that are too late are left out for good."""
        found = []
        for one in await self.all():
            time = one.schedule.latest(now)
            if time > one.handled:
                if now - time <= one.schedule.grace:
                    found.append((one, time))
                else:
                    await self.handled(one.channel, time)
        return found

    async def begin(self, channel_id: int, time: datetime) -> None:
        """Note that the digest of this time is about to be posted: should all end here, it is known that it may be."""
        await self._tables.run(_update, "begun = ?", [_stamp(time), channel_id])

    async def handled(self, channel_id: int, time: datetime, digest: Digest | None = None) -> None:
        """Note that the digest of this time was posted, or with none, that it never will be."""

        def note(store: Store) -> None:
            sparks, briefs = _given(store, channel_id)
            if digest is not None:
                sparks = [*sparks, *(hit.snippet.id for hit in digest.sparks)][-REMEMBERED:]
                briefs = [*briefs, digest.brief][-REMEMBERED // 3 :]
            given = {"sparks": sparks, "briefs": briefs}
            seen = digest.seen if digest is not None else 0
            changes = "handled = max(handled, ?), begun = NULL, seen = max(seen, ?), given = ?"
            _update(store, changes, [_stamp(time), seen, json.dumps(given), channel_id])

        await self._tables.run(note)

    async def write(
        self, one: Subscription, time: datetime, filters: Filters, project: str | None = None, seed: int | None = None
    ) -> Digest:
        """Write the digest of this time from what the filters leave. `project` is what the channel works on."""
        draw = random.Random(f"{one.channel}/{_stamp(time)}" if seed is None else seed)

        def write(store: Store) -> Digest:
            had, briefs = _given(store, one.channel)
            fresh, seen = _came_in(store, one, filters)
            kept = self._library.journal.ideas(one.space, kept=True, limit=MOST_KEPT, without=filters.without_sources)
            brief = project or self._brief(kept, frozenset(briefs), draw)
            rising = tuple(self._rising(one.space, filters))[:RISING] if self._rising is not None else ()
            sparks = self._sparks(one.space, brief, kept, frozenset(had), filters, draw)
            newest = tuple(store.snippets(fresh[::-1][:NEWEST]))
            return Digest(one.schedule.day(time), len(fresh), newest, rising, brief, sparks, seen)

        return await self._tables.run(write)

    def _brief(self, kept: Sequence[Entry], given: frozenset[str], draw: random.Random) -> str:
        """A brief that was not given lately, of those near to what people kept."""
        briefs = list(dict.fromkeys(example.brief for example in worked_examples()))
        briefs = [brief for brief in briefs if brief not in given] or briefs
        if not kept:
            return draw.choice(briefs)
        embedder = self._library.embedder
        taste = embedder.embed([f"{entry.brief.text}. {entry.idea.title}. {entry.idea.body}" for entry in kept])
        near = embedder.embed(briefs) @ taste.mean(axis=0)
        return briefs[int(draw.choice(np.argsort(-near)[:3].tolist()))]

    def _sparks(
        self,
        space: str,
        brief: str,
        kept: Sequence[Entry],
        given: frozenset[int],
        filters: Filters,
        draw: random.Random,
    ) -> tuple[Hit, ...]:
        """Three sparks for the brief: a draw in which those on the topics of kept ideas have more tickets."""
        liked = Counter(topic for entry in kept for hit in entry.idea.sparks for topic in hit.snippet.topics)
        hits = self._library.retriever.sparks(
            brief, spaces_for(space), DRAWN, Distance.MIXED, draw.getrandbits(31), filters, given
        )
        # Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir": the greatest keys are the draw.
        keys = {
            hit.snippet.id: draw.random() ** (1 / (1 + sum(liked[topic] for topic in hit.snippet.topics)))
            for hit in hits
        }
        return tuple(sorted(hits, key=lambda hit: -keys[hit.snippet.id])[:SPARKS])


def _came_in(store: Store, one: Subscription, filters: Filters) -> tuple[list[int], int]:
    """The ids of what came in since the last digest, and the greatest id there is. An edited message is not new."""
    collections = store.collections(one.space)
    seen = store.matching(collections, filters)
    rows = store.db.execute(
        "SELECT n.id FROM snippets n JOIN digests d ON d.channel = ? LEFT JOIN captured c ON c.snippet_id = n.id "
        "WHERE n.id > d.seen AND n.collection_id IN (SELECT value FROM json_each(?)) "
        "AND ifnull(c.first > d.seen, 1) ORDER BY n.id",
        [one.channel, as_json(collection.id for collection in collections)],
    ).fetchall()
    newest = store.db.execute("SELECT ifnull(max(id), 0) FROM snippets").fetchone()[0]
    return [row[0] for row in rows if seen is None or row[0] in seen], int(newest)


def _given(store: Store, channel_id: int) -> tuple[list[int], list[str]]:
    """The sparks and the briefs that a channel was given lately, the newest last."""
    row = store.db.execute("SELECT given FROM digests WHERE channel = ?", [channel_id]).fetchone()
    found = json.loads(row[0]) if row else {}
    return found.get("sparks", []), found.get("briefs", [])


def _update(store: Store, changes: str, values: Sequence[object]) -> None:
    with store.transaction():
        store.db.execute(f"UPDATE digests SET {changes} WHERE channel = ?", values)  # noqa: S608 (constants)


def _subscriptions(store: Store, space: str | None) -> list[Subscription]:
    rows = store.db.execute(
        "SELECT channel, space, every, hour, weekday, zone, handled, begun FROM digests "
        "WHERE space = ifnull(?, space) ORDER BY channel",
        [space],
    ).fetchall()
    return [
        Subscription(
            channel,
            of,
            Schedule(Every(every), hour, weekday, zone),
            datetime.fromisoformat(handled),
            datetime.fromisoformat(begun) if begun else None,
        )
        for channel, of, every, hour, weekday, zone, handled, begun in rows
    ]


def _stamp(time: datetime) -> str:
    """A time in UTC, ISO 8601 to the second: the same form everywhere, so that texts compare as times do."""
    return time.astimezone(UTC).isoformat(timespec="seconds")
