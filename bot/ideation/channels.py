"""Inspiration channels: which channels a server shares its taste in, and what of their messages the library keeps.

A channel is a source of its server's collection, each kept message one snippet of it, and library and channel agree:
what is edited there changes here, what is deleted there goes, whatever was missed is made good page by page
(`follow`). Whoever opted out is not kept. Channels, messages and people are numbers and names here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlite_utils import Database, Migrations

from bot.ideation import walls
from bot.ideation.journal import now
from bot.ideation.library import Library
from bot.ideation.posts import Post, caught
from bot.ideation.shelf import CHANNEL, OWN
from bot.ideation.tables import Tables
from knowledge.embedding import passage
from knowledge.index import Indexes
from knowledge.rows import as_json
from knowledge.store import Store
from knowledge.types import Collection, Draft, Snippet, Source

SCHEMA = Migrations("channels")


@SCHEMA(name="0001_channels")
def _channels(db: Database) -> None:
    for statement in (
        """CREATE TABLE inspiration (
            channel INTEGER PRIMARY KEY, space TEXT NOT NULL, parent INTEGER, title TEXT NOT NULL,
            address TEXT NOT NULL, is_on INTEGER NOT NULL, marks INTEGER NOT NULL,
            since INTEGER NOT NULL,           -- messages with a greater id are kept
            reading TEXT NOT NULL DEFAULT 'not begun', read INTEGER NOT NULL DEFAULT 0,
            found INTEGER NOT NULL DEFAULT 0, told_in INTEGER, told_by INTEGER)""",
        """CREATE TABLE captured (
            message INTEGER PRIMARY KEY, snippet_id INTEGER NOT NULL REFERENCES snippets (id) ON DELETE CASCADE,
            first INTEGER NOT NULL,           -- the snippet that it was before its edits
            channel INTEGER NOT NULL, author TEXT NOT NULL, at TEXT NOT NULL)""",
        "CREATE INDEX captured_by_channel ON captured (channel, message)",
        "CREATE INDEX captured_by_author ON captured (author)",
        "CREATE INDEX captured_by_snippet ON captured (snippet_id)",
        "CREATE TABLE declined (message INTEGER PRIMARY KEY, channel INTEGER NOT NULL, author TEXT NOT NULL)",
        """CREATE TABLE choices (
            person TEXT PRIMARY KEY, out INTEGER NOT NULL,
            since INTEGER NOT NULL)           -- once back in: their messages with a greater id are kept""",
    ):
        db.execute(statement)


class Reading(StrEnum):
    """How far the reading of a channel's older messages is."""

    NOT_BEGUN = "not begun"
    GOING = "going"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Followed:
    """A channel that messages are kept of, or were.

    `on` says whether new ones are, `marks` whether a reaction shows it. Messages after `since` are kept: it moves back
    as older ones are read, of which `read` were looked at and `found` kept; `told` are the channel and the message
    that show the progress. `kept` counts all that the library holds.
    """

    channel: int
    space: str
    parent: int | None
    title: str
    on: bool
    marks: bool
    since: int
    reading: Reading
    read: int
    found: int
    told: tuple[int, int] | None
    kept: int


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some messages: those that are new in the library, and those that went or never were there."""

    kept: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()


class Channels:
    """The inspiration channels of all servers. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables = Tables(library, walls.SCHEMA, SCHEMA)
        self._known: frozenset[int] | None = None

    # Which channels

    async def follows(self, channel_id: int) -> bool:
        """Whether anything of this channel is kept, or will be. Quick: it is asked for every message."""
        if self._known is None:
            self._known = frozenset(one.channel for one in await self.all())
        return channel_id in self._known

    async def all(self, space: str | None = None) -> list[Followed]:
        """The channels of a space, or of all spaces."""
        return await self._tables.run(_followed, "ifnull(?, space) = space", [space])

    async def of(self, channel_id: int) -> Followed | None:
        """This channel, if it is one."""
        found = await self._tables.run(_followed, "channel = ?", [channel_id])
        return found[0] if found else None

    async def switch_on(
        self, space: str, channel_id: int, *, parent: int | None, title: str, address: str, since: int, marks: bool
    ) -> Followed:
        """Keep this channel's messages that come after `since`, a message's number. On already, only `marks` changes.

        What was kept before it was switched off stays; what was said while it was off is not kept.
        """
        await self._tables.run(_switch_on, (channel_id, space, parent, title, address, marks, since))
        self._known = None
        (found,) = await self._tables.run(_followed, "channel = ?", [channel_id])
        return found

    async def switch_off(self, channel_id: int) -> Followed | None:
        """Keep no further messages of this channel. Those that are kept follow their edits and deletions."""
        await self._tables.run(
            _write, "UPDATE inspiration SET is_on = 0, reading = ? WHERE channel = ?", [Reading.NOT_BEGUN, channel_id]
        )
        return await self.of(channel_id)

    async def remove(self, channel_id: int, since: int) -> int:
        """Let go of all that was kept of a channel; on, it goes on with what comes after `since`."""
        return await self._cleared(channel_id, since, gone=False)

    async def begin_anew(self, source_id: int, since: int) -> None:
        """The source that a channel is was taken out of the library: keep only what comes after `since`."""
        statement = (
            "UPDATE inspiration SET since = max(since, ?), reading = ?, read = 0, found = 0 WHERE channel IN "
            "(SELECT channel FROM walls WHERE source_id = ?) AND "
            "NOT EXISTS (SELECT 1 FROM captured c WHERE c.channel = inspiration.channel)"
        )
        await self._tables.run(_write, statement, [since, Reading.NOT_BEGUN, source_id])

    async def channel_deleted(self, channel_id: int) -> int:
        """Let go of a channel that is no longer there, and all that was kept of it. Returns how many snippets went."""
        return await self._cleared(channel_id, 0, gone=True) if await self.follows(channel_id) else 0

    # Their messages

    async def keep(self, post: Post) -> Change:
        """Take in a message that was written or edited just now, or let it go where it is no longer worth keeping."""
        return await self._tables.run(self._take, [post], None)

    async def let_go(self, message_ids: Iterable[int]) -> int:
        """Let go of messages that were deleted. Returns how many snippets went."""
        return await self._tables.run(self._let_go, sorted(set(message_ids)), forget=True)

    async def follow(
        self,
        channel_id: int,
        posts: Sequence[Post],
        first: int,
        last: int,
        *,
        declined: Set[int] = frozenset(),
        spared: Set[int] = frozenset(),
        back: bool = False,
    ) -> Change:
        """Bring the library in line with a page of a channel: `posts` is all it has from number `first` to `last`.

        What is kept from there but is not among them goes. `declined` are messages that their authors want left out;
        `spared` are numbers that changed since the page was read and are left alone. With `back` the page is older
        than all that was read before: it is taken in too, and reading goes on before it.
        """
        page = [post for post in posts if post.message not in spared]
        there = {post.message for post in posts} | spared

        def follow(store: Store) -> Change:
            lost = _numbers(
                store,
                "SELECT message FROM captured WHERE channel = ? AND message BETWEEN ? AND ? "
                "UNION SELECT message FROM declined WHERE channel = ? AND message BETWEEN ? AND ?",
                [channel_id, first, last] * 2,
            )
            self._let_go(store, sorted(lost - there), forget=True)
            with store.transaction():
                for post in page:
                    _note_declined(store, post, post.message in declined)
            change = self._take(store, page, first if back else None)
            if back:
                values = [first - 1, len(posts), len(change.kept), channel_id]
                _write(
                    store,
                    "UPDATE inspiration SET since = min(since, ?), read = read + ?, found = found + ? "
                    "WHERE channel = ?",
                    values,
                )
            return Change(change.kept, change.gone | (lost - there))

        return await self._tables.run(follow)

    async def oldest(self, channel_id: int) -> int | None:
        """The number of the oldest message that is kept, or that its author declined; None when there is none."""
        found = await self._tables.run(
            _numbers,
            "SELECT min(message) FROM (SELECT message FROM captured WHERE channel = ? UNION "
            "SELECT message FROM declined WHERE channel = ?) HAVING min(message) IS NOT NULL",
            [channel_id, channel_id],
        )
        return min(found, default=None)

    async def set_reading(self, channel_id: int, reading: Reading, told: tuple[int, int] | None = None) -> None:
        """Note how far the reading of older messages is, and where its progress is shown."""
        told_in, told_by = told or (None, None)
        await self._tables.run(
            _write,
            "UPDATE inspiration SET reading = ?, told_in = ifnull(?, told_in), told_by = ifnull(?, told_by) "
            "WHERE channel = ?",
            [reading, told_in, told_by, channel_id],
        )

    # Their authors

    async def decline(self, channel_id: int, message_id: int, author: str) -> int:
        """Leave one message out because its author wants it. Returns how many snippets went."""

        def decline(store: Store) -> int:
            row = (message_id, channel_id, author)
            _write(store, "INSERT OR REPLACE INTO declined VALUES (?, ?, ?)", row)
            return self._let_go(store, [message_id], forget=False)

        return await self._tables.run(decline)

    async def undecline(self, message_id: int, author: str) -> bool:
        """Take that back; False when this person had not declined this message."""
        statement = "DELETE FROM declined WHERE message = ? AND author = ?"
        return bool(await self._tables.run(_write, statement, [message_id, author]))

    async def opt_out(self, person: str) -> int:
        """Keep nothing of what a person posts, and let go of what was kept. Returns how many snippets went."""

        def leave(store: Store) -> int:
            _write(store, "INSERT OR REPLACE INTO choices VALUES (?, 1, 0)", [person])
            theirs = _numbers(store, "SELECT message FROM captured WHERE author = ?", [person])
            return self._let_go(store, sorted(theirs), forget=False)

        return await self._tables.run(leave)

    async def opt_in(self, person: str, since: int) -> None:
        """Keep what a person posts again, after the message number `since`; nothing changes for who never left."""
        await self._tables.run(
            _write, "UPDATE choices SET out = 0, since = ? WHERE person = ? AND out", [since, person]
        )

    async def opted_out(self, person: str) -> bool:
        """Whether a person asked that nothing of theirs be kept."""
        query = "SELECT 1 FROM choices WHERE person = ? AND out"
        return bool(await self._tables.run(_numbers, query, [person]))

    async def messages_of(self, person: str) -> list[tuple[int, int]]:
        """The channels and numbers of the messages that are kept of a person, newest first."""

        def read(store: Store) -> list[tuple[int, int]]:
            query = "SELECT channel, message FROM captured WHERE author = ? ORDER BY message DESC"
            return store.db.execute(query, [person]).fetchall()

        return await self._tables.run(read)

    async def posted_by(self, person: str) -> list[dict[str, Any]]:
        """The messages that are kept of a person, as plain values."""

        def read(store: Store) -> list[dict[str, Any]]:
            query = (
                "SELECT k.space, 'message in a channel' AS kind, n.title, n.text, n.address, c.at FROM captured c "
                "JOIN snippets n ON n.id = c.snippet_id JOIN collections k ON k.id = n.collection_id "
                "WHERE c.author = ? ORDER BY c.message"
            )
            return [{**row, "brought": False, "wrote": True} for row in store.db.query(query, [person])]

        return await self._tables.run(read)

    # Within, on the library's thread

    def _take(self, store: Store, posts: Sequence[Post], floor: int | None) -> Change:
        """Take in what these messages of one channel say now. `floor` stands in for `since` where it is lower."""
        found = _followed(store, "channel = ?", [posts[0].channel]) if posts else []
        if not found:
            return Change()
        (channel,) = found
        since = channel.since if floor is None else min(channel.since, floor - 1)
        known = _captured(store, [post.message for post in posts])
        choices = _choices(store, {post.author for post in posts})
        left_out = _numbers(
            store,
            "SELECT message FROM declined WHERE message IN (SELECT value FROM json_each(?))",
            [as_json(post.message for post in posts)],
        )
        wanted: list[tuple[Post, Draft]] = []
        unwanted: set[int] = set()
        for post in posts:
            out, back = choices.get(post.author, (False, 0))
            draft = None if out or post.message in left_out else caught(post)
            old = known.get(post.message)
            if draft is None or (old is None and (not channel.on or post.message <= max(since, back))):
                unwanted.add(post.message)
            elif old is None or not _says(old, draft):
                wanted.append((post, draft))
        stale = [known[post.message].id for post, _ in wanted if post.message in known]
        if wanted:
            source = self._put(store, channel, wanted, stale)
            if stale:
                self._caught_up(source)
        self._let_go(store, sorted(unwanted & known.keys()), forget=False)
        return Change(frozenset(post.message for post, _ in wanted if post.message not in known), frozenset(unwanted))

    def _put(
        self, store: Store, channel: Followed, wanted: Sequence[tuple[Post, Draft]], stale: Sequence[int]
    ) -> Source:
        """Put snippets in the place of stale ones, all or none."""
        embedder = self._library.embedder
        drafts = [draft for _, draft in wanted]
        vectors = embedder.embed([passage(draft) for draft in drafts])
        with store.transaction():
            (address,) = store.db.execute(
                "SELECT address FROM inspiration WHERE channel = ?", [channel.channel]
            ).fetchone()
            source = store.source(store.collection(channel.space, OWN), CHANNEL, address, channel.title)
            walls.build_wall(store, source, channel.space, channel.channel, channel.parent)
            query = "SELECT message, first, at FROM captured WHERE snippet_id IN (SELECT value FROM json_each(?))"
            before = {row[0]: row[1:] for row in store.db.execute(query, [as_json(stale)]).fetchall()}
            store.remove(stale)
            added = store.add(source, drafts, vectors, embedder.name)
            for (post, _), snippet_id in zip(wanted, added.ids, strict=True):
                first, at = before.get(post.message, (snippet_id, now()))
                row = (post.message, snippet_id, first, post.channel, post.author, at)
                store.db.execute("INSERT OR REPLACE INTO captured VALUES (?, ?, ?, ?, ?, ?)", row)
        return source

    def _let_go(self, store: Store, messages: Sequence[int], *, forget: bool) -> int:
        """Remove the snippets of messages, from the index too; `forget` also what their authors wished about them."""
        if not messages:
            return 0
        ids = as_json(messages)
        rows = store.db.execute(
            "SELECT n.id, n.collection_id FROM captured c JOIN snippets n ON n.id = c.snippet_id "
            "WHERE c.message IN (SELECT value FROM json_each(?))",
            [ids],
        ).fetchall()
        with store.transaction():
            store.remove(row[0] for row in rows)
            if forget:
                store.db.execute("DELETE FROM declined WHERE message IN (SELECT value FROM json_each(?))", [ids])
        for collection_id in {row[1] for row in rows}:
            _catch_up(store, self._library.indexes, collection_id)
        return len(rows)

    def _caught_up(self, source: Source) -> None:
        _catch_up(self._library.store, self._library.indexes, source.collection_id)

    async def _cleared(self, channel_id: int, since: int, *, gone: bool) -> int:
        def clear(store: Store) -> int:
            messages = _numbers(store, "SELECT message FROM captured WHERE channel = ?", [channel_id])
            removed = self._let_go(store, sorted(messages), forget=True)
            with store.transaction():
                for row in store.db.execute(
                    "SELECT s.id, s.collection_id, s.kind, s.address, s.title, s.added_at FROM sources s "
                    "JOIN walls w ON w.source_id = s.id WHERE w.channel = ? AND s.kind = ?",
                    [channel_id, CHANNEL],
                ).fetchall():
                    store.remove_source(Source(*row))
                store.db.execute("DELETE FROM declined WHERE channel = ?", [channel_id])
                store.db.execute(
                    "UPDATE inspiration SET since = max(since, ?), reading = ?, read = 0, found = 0 WHERE channel = ?",
                    [since, Reading.NOT_BEGUN, channel_id],
                )
                store.db.execute("DELETE FROM inspiration WHERE channel = ? AND (? OR NOT is_on)", [channel_id, gone])
            return removed

        try:
            return await self._tables.run(clear)
        finally:
            self._known = None


def _followed(store: Store, condition: str, values: Sequence[object]) -> list[Followed]:
    rows = store.db.execute(
        "SELECT channel, space, parent, title, is_on, marks, since, reading, read, found, told_in, told_by, "  # noqa: S608
        "(SELECT count(*) FROM captured c WHERE c.channel = inspiration.channel) "
        f"FROM inspiration WHERE {condition} ORDER BY channel",
        values,
    ).fetchall()
    return [_as_followed(*row) for row in rows]


def _as_followed(
    channel: int,
    space: str,
    parent: int | None,
    title: str,
    on: int,
    marks: int,
    since: int,
    reading: str,
    read: int,
    found: int,
    told_in: int | None,
    told_by: int | None,
    kept: int,
) -> Followed:
    told = None if told_in is None or told_by is None else (told_in, told_by)
    return Followed(
        channel, space, parent, title, bool(on), bool(marks), since, Reading(reading), read, found, told, kept
    )


def _switch_on(store: Store, row: tuple[object, ...]) -> None:
    with store.transaction():
        store.db.execute(
            "INSERT INTO inspiration (channel, space, parent, title, address, is_on, marks, since) "
            "VALUES (?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (channel) DO UPDATE SET title = excluded.title, "
            "marks = excluded.marks, since = iif(is_on, since, excluded.since), "
            "reading = iif(is_on, reading, 'not begun'), is_on = 1",
            row,
        )


def _write(store: Store, statement: str, values: Sequence[object]) -> int:
    with store.transaction():
        return store.db.execute(statement, values).rowcount


def _numbers(store: Store, query: str, values: Sequence[object]) -> set[int]:
    return {row[0] for row in store.db.execute(query, values).fetchall()}


def _captured(store: Store, messages: Iterable[int]) -> dict[int, Snippet]:
    """The snippets that these messages are kept as."""
    rows = store.db.execute(
        "SELECT snippet_id, message FROM captured WHERE message IN (SELECT value FROM json_each(?))",
        [as_json(messages)],
    ).fetchall()
    message = dict(rows)
    return {message[snippet.id]: snippet for snippet in store.snippets(message)}


def _choices(store: Store, people: Iterable[str]) -> dict[str, tuple[bool, int]]:
    """Whether these people opted out, and if not, from which message on they are kept again."""
    rows = store.db.execute(
        "SELECT person, out, since FROM choices WHERE person IN (SELECT value FROM json_each(?))",
        [json.dumps(sorted(people))],
    ).fetchall()
    return {person: (bool(out), since) for person, out, since in rows}


def _note_declined(store: Store, post: Post, declined: bool) -> None:
    if declined:
        row = (post.message, post.channel, post.author)
        store.db.execute("INSERT OR IGNORE INTO declined VALUES (?, ?, ?)", row)
    else:
        store.db.execute("DELETE FROM declined WHERE message = ?", [post.message])


def _says(snippet: Snippet, draft: Draft) -> bool:
    """Whether a snippet says what a draft does."""
    return (snippet.title, snippet.text, snippet.author) == (draft.title, draft.text, draft.author)


def _catch_up(store: Store, indexes: Indexes, collection_id: int) -> None:
    """What was deleted leaves the index now, not with the next search."""
    row = store.db.execute("SELECT id, space, name FROM collections WHERE id = ?", [collection_id]).fetchone()
    if row is not None:
        indexes.of(Collection(*row))
