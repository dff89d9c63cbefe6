"""The shelf: what a space's people put into its own collection, who did, and taking it out again.

A file or a saved message is a source of the collection. Beside it stands who brought it, and for a message who wrote
it and where, so that a message which is deleted there is gone from here, and a person who wants to be forgotten is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database, Migrations

from bot.ideation import walls
from bot.ideation.journal import now
from bot.ideation.library import STARTER, Library
from bot.ideation.posts import Post, saved
from bot.ideation.tables import Tables
from knowledge.embedder import Embedder
from knowledge.embedding import add_drafts
from knowledge.errors import BadInput
from knowledge.ingest import Event, Report, ingest
from knowledge.store import NO_FILTERS, Store
from knowledge.types import Collection, Filters, Source

SCHEMA = Migrations("contributions")

OWN = "own"  # the name of a space's own collection
MESSAGE = "message"  # the kind of source that a saved message is
CHANNEL = "channel"  # the kind of source that an inspiration channel is


@SCHEMA(name="0001_contributions")
def _contributions(db: Database) -> None:
    for statement in (
        """CREATE TABLE contributions (
            source_id INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
            person TEXT, author TEXT, channel INTEGER, message INTEGER, at TEXT NOT NULL)""",
        "CREATE INDEX contributions_by_message ON contributions (message)",
    ):
        db.execute(statement)


@dataclass(frozen=True, slots=True)
class Shelved:
    """A source of a space's own collection: how many snippets it has, and who brought it where that is known."""

    source: Source
    snippets: int
    person: str | None


class Shelf:
    """What people put into their space's own collection. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables = Tables(library, SCHEMA, walls.SCHEMA)

    async def add(
        self, space: str, person: str, paths: Sequence[Path], progress: Callable[[Event], None] | None = None
    ) -> Report:
        """Read files into the space's own collection.

        A long file takes minutes, so it is read by the intake, on whose thread `progress` is called.
        """
        collection = await self._tables.run(Store.collection, space, OWN)
        before = {source.id for source in await self._tables.run(Store.sources, collection)}

        def read(store: Store, embedder: Embedder) -> Report:
            return ingest(store, embedder, collection, paths, progress)

        def sign(store: Store) -> None:
            for source in store.sources(collection):
                if source.id not in before:
                    _contribute(store, source, person)

        try:
            return await self._library.take_in(read)
        finally:
            await self._tables.run(sign)

    async def sign(self, source: Source, person: str | None) -> None:
        """Note who brought a source that was not put on the shelf here."""
        if person is not None:
            await self._tables.run(_contribute, source, person)

    async def save(self, space: str, person: str, post: Post) -> str | None:
        """Make a message a snippet of the space's own collection; its title, or None if its words are there already.

        Raises `BadInput` when there are no words in it.
        """
        draft = saved(post)
        embedder = self._library.embedder

        def keep(store: Store) -> str | None:
            collection = store.collection(space, OWN)
            if not store.unknown(collection, [draft]):
                return None
            source = store.source(collection, MESSAGE, post.address, draft.title)
            with store.transaction():  # before the snippet: it is never there without its wall
                walls.build_wall(store, source, space, post.channel, post.parent)
                _contribute(store, source, person, post)
            add_drafts(store, embedder, source, [draft])
            return source.title

        return await self._tables.run(keep)

    async def sources(self, space: str, filters: Filters = NO_FILTERS) -> list[Shelved]:
        """What stands on the space's shelf, newest first, without what the filters exclude."""
        found = await self._tables.run(_shelved, space)
        return [one for one in found if one.source.id not in filters.without_sources]

    async def sizes(self, space: str, filters: Filters = NO_FILTERS) -> tuple[int, int]:
        """How many snippets the space's own collection and the starter collection hold, as far as the filters go."""

        def count(store: Store) -> tuple[int, int]:
            own, starter = store.collection(space, OWN), store.collection(STARTER, STARTER)
            seen = store.matching([own], filters)
            return store.count(own) if seen is None else len(seen), store.count(starter)

        return await self._tables.run(count)

    async def remove(self, space: str, source_id: int, filters: Filters = NO_FILTERS) -> Shelved:
        """Take a source with all its snippets from the space's shelf. Raises `BadInput` when it is not on it.

        One that the filters exclude can't be taken.
        """

        def take(store: Store) -> Shelved:
            for found in _shelved(store, space):
                if found.source.id == source_id and source_id not in filters.without_sources:
                    store.remove_source(found.source)
                    return found
            raise BadInput("That is not in the library here, or was removed already: /library list shows what is.")

        return await self._tables.run(take)

    async def saved_messages(self) -> list[tuple[int, int]]:
        """The channels and numbers of all messages that somebody saved."""

        def read(store: Store) -> list[tuple[int, int]]:
            query = "SELECT channel, message FROM contributions WHERE message IS NOT NULL ORDER BY message DESC"
            return store.db.execute(query).fetchall()

        return await self._tables.run(read)

    async def message_edited(self, post: Post) -> bool:
        """Let a message that somebody saved say here what it says now; without words it goes. False if it is none."""
        embedder = self._library.embedder

        def renew(store: Store) -> bool:
            for source in _sources_where(store, "message = ?", [post.message]):
                try:
                    draft = saved(post)
                except BadInput:
                    return bool(store.remove_source(source))
                collection = Collection(source.collection_id, "", "")
                if store.unknown(collection, [draft]):
                    fresh = add_drafts(store, embedder, source, [draft]).ids
                    with store.transaction():
                        rows = store.db.execute("SELECT id FROM snippets WHERE source_id = ?", [source.id]).fetchall()
                        store.remove(row[0] for row in rows if row[0] not in fresh)
                        store.db.execute("UPDATE sources SET title = ? WHERE id = ?", [draft.title, source.id])
                    return True
            return False

        return await self._tables.run(renew)

    async def messages_deleted(self, message_ids: Iterable[int]) -> int:
        """Let go of the snippets of messages that are no longer there. Returns how many there were."""
        wanted = sorted(set(message_ids))
        marks = ", ".join("?" * len(wanted))
        return await self._tables.run(self._let_go, f"message IN ({marks})", wanted)

    async def channel_deleted(self, channel_id: int) -> int:
        """Let go of the snippets of all messages of a channel that is no longer there. Returns how many there were."""
        return await self._tables.run(self._let_go, "channel = ?", [channel_id])

    async def brought_by(self, person: str) -> list[dict[str, Any]]:
        """What a person brought, and messages of theirs that somebody saved, as plain values."""

        def read(store: Store) -> list[dict[str, Any]]:
            rows = store.db.query(
                "SELECT k.space, s.kind, s.title, s.address, c.at, "
                "c.person = :who AS brought, c.author = :who AS wrote FROM contributions c "
                "JOIN sources s ON s.id = c.source_id JOIN collections k ON k.id = s.collection_id "
                "WHERE :who IN (c.person, c.author) ORDER BY c.at",
                {"who": person},
            )
            return [{**row, "brought": bool(row["brought"]), "wrote": bool(row["wrote"])} for row in rows]

        return await self._tables.run(read)

    async def forget(self, person: str) -> int:
        """Let go of a person: the messages they saved or wrote, their own space's collection, their name on files.

        Files that they gave to a server stay with it. Returns how many snippets went.
        """

        def forget(store: Store) -> int:
            with store.transaction():
                removed = _remove_where(store, "message IS NOT NULL AND ? IN (person, author)", [person])
                removed += sum(store.remove_collection(collection) for collection in store.collections(person))
                store.db.execute("DELETE FROM contributions WHERE person = ?", [person])
            return removed

        return await self._tables.run(forget)

    def _let_go(self, store: Store, condition: str, values: Sequence[object]) -> int:
        """Remove those contributions, from the index too: what was deleted is not there until the next search."""
        touched = {source.collection_id for source in _sources_where(store, condition, values)}
        removed = _remove_where(store, condition, values)
        for collection in store.collections() if removed else ():
            if collection.id in touched:
                self._library.indexes.of(collection)
        return removed


def _contribute(store: Store, source: Source, person: str, post: Post | None = None) -> None:
    row = (source.id, person, post and post.author, post and post.channel, post and post.message, now())
    with store.transaction():
        store.db.execute("INSERT OR REPLACE INTO contributions VALUES (?, ?, ?, ?, ?, ?)", row)


def _shelved(store: Store, space: str) -> list[Shelved]:
    rows = store.db.execute(
        "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at, "
        "(SELECT count(*) FROM snippets WHERE source_id = s.id), c.person "
        "FROM sources s JOIN collections k ON k.id = s.collection_id LEFT JOIN contributions c ON c.source_id = s.id "
        "WHERE k.space = ? AND k.name = ? ORDER BY s.id DESC",
        [space, OWN],
    ).fetchall()
    return [Shelved(Source(*row[:6]), row[6], row[7]) for row in rows]


def _remove_where(store: Store, condition: str, values: Sequence[object]) -> int:
    """Remove the sources of those contributions; returns how many snippets went."""
    return sum(store.remove_source(source) for source in _sources_where(store, condition, values))


def _sources_where(store: Store, condition: str, values: Sequence[object]) -> list[Source]:
    """The sources of those contributions."""
    rows = store.db.execute(
        "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at FROM contributions c "  # noqa: S608
        f"JOIN sources s ON s.id = c.source_id WHERE {condition}",
        values,
    ).fetchall()
    return [Source(*row) for row in rows]
