"""The shelf: what a space's people put into its own collection, who did, and taking it out again.

A file or a saved message is a source of the collection. Beside it stands who brought it, and for a message who wrote
it and where, so that a message which is deleted there is gone from here, and a person who wants to be forgotten is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database, Migrations

from bot.ideation.brief import read_brief
from bot.ideation.journal import now
from bot.ideation.library import STARTER, Library
from bot.ideation.prompts import quoted
from bot.ideation.tables import Tables
from knowledge.embedding import add_drafts
from knowledge.errors import BadInput
from knowledge.ingest import Event, Report, ingest
from knowledge.store import Store
from knowledge.types import Draft, Source

SCHEMA = Migrations("contributions")

OWN = "own"  # the name of a space's own collection
MESSAGE = "message"  # the kind of source that a saved message is
TITLE_WORDS = 8
LONGEST_SAVED = 1000  # characters of a message that are kept: a snippet is short


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
class Post:
    """A message worth keeping: its text, who wrote it (a name to show, and the person), when, where, and a link to it.

    `date` is ISO 8601; `channel` and `message` are numbers.
    """

    text: str
    name: str
    author: str
    date: str
    channel: int
    message: int
    address: str


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
        self._tables = Tables(library, SCHEMA)

    async def add(
        self, space: str, person: str, paths: Sequence[Path], progress: Callable[[Event], None] | None = None
    ) -> Report:
        """Read files into the space's own collection.

        A long file takes minutes, so it is read on a thread of its own, on which `progress` is called; the library's
        thread embeds it batch by batch and answers others in between.
        """
        library = self._library
        embedder = Borrowed(library)
        collection = await self._tables.run(Store.collection, space, OWN)
        before = {source.id for source in await self._tables.run(Store.sources, collection)}

        def read() -> Report:
            with Store(library.store.path) as store:
                return ingest(store, embedder, collection, paths, progress)

        def sign(store: Store) -> None:
            for source in store.sources(collection):
                if source.id not in before:
                    _contribute(store, source, person)

        try:
            return await asyncio.to_thread(read)
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
        text = _clipped(quoted(post.text))
        read_brief(text)
        words = text.split()
        title = " ".join(words[:TITLE_WORDS]) + ("…" if len(words) > TITLE_WORDS else "")
        draft = Draft(title[:100], text, date=post.date, author=post.name, address=post.address)
        embedder = self._library.embedder

        def keep(store: Store) -> str | None:
            collection = store.collection(space, OWN)
            if not store.unknown(collection, [draft]):
                return None
            source = store.source(collection, MESSAGE, post.address, title[:100])
            add_drafts(store, embedder, source, [draft])
            _contribute(store, source, person, post)
            return source.title

        return await self._tables.run(keep)

    async def sources(self, space: str) -> list[Shelved]:
        """What stands on the space's shelf, newest first."""
        return await self._tables.run(_shelved, space)

    async def sizes(self, space: str) -> tuple[int, int]:
        """How many snippets the space's own collection and the starter collection hold."""

        def count(store: Store) -> tuple[int, int]:
            own, starter = store.collection(space, OWN), store.collection(STARTER, STARTER)
            return store.count(own), store.count(starter)

        return await self._tables.run(count)

    async def remove(self, space: str, source_id: int) -> Shelved:
        """Take a source with all its snippets from the space's shelf. Raises `BadInput` when it is not on it."""

        def take(store: Store) -> Shelved:
            for found in _shelved(store, space):
                if found.source.id == source_id:
                    store.remove_source(found.source)
                    return found
            raise BadInput("That is not in the library here, or was removed already: /library list shows what is.")

        return await self._tables.run(take)

    async def messages_deleted(self, message_ids: Iterable[int]) -> int:
        """Let go of the snippets of messages that are no longer there. Returns how many there were."""
        wanted = sorted(set(message_ids))
        marks = ", ".join("?" * len(wanted))
        return await self._tables.run(_remove_where, f"message IN ({marks})", wanted)

    async def channel_deleted(self, channel_id: int) -> int:
        """Let go of the snippets of all messages of a channel that is no longer there. Returns how many there were."""
        return await self._tables.run(_remove_where, "channel = ?", [channel_id])

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


class Borrowed:
    """The library's embedder for another thread: it embeds on the library's thread, in turn with everything else."""

    def __init__(self, library: Library) -> None:
        self._worker = library.worker
        self._embedder = library.embedder
        self.name = library.embedder.name
        self.dimension = library.embedder.dimension

    def embed(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> NDArray[np.float32]:
        """As the library's embedder does."""
        return self._worker.submit(self._embedder.embed, texts, progress).result()


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
    rows = store.db.execute(
        "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at FROM contributions c "  # noqa: S608
        f"JOIN sources s ON s.id = c.source_id WHERE {condition}",
        values,
    ).fetchall()
    return sum(store.remove_source(Source(*row)) for row in rows)


def _clipped(text: str) -> str:
    """At most LONGEST_SAVED characters, cut between words."""
    return text if len(text) <= LONGEST_SAVED else text[: LONGEST_SAVED - 1].rsplit(" ", 1)[0] + "…"
