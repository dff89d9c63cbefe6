"""What the library keeps of messages: taken in, renewed and let go, snippets and index in step. On its thread."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.ideation import walls
from bot.ideation.followed import Followed, Reading, numbers, read_followed
from bot.ideation.journal import now
from bot.ideation.library import Library
from bot.ideation.posts import Post, caught
from bot.ideation.shelf import CHANNEL, OWN
from knowledge.embedding import passage
from knowledge.index import Indexes
from knowledge.rows import as_json
from knowledge.store import Store
from knowledge.types import Collection, Draft, Snippet, Source


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some messages: those that are new in the library, and those that went or never were there."""

    kept: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()


class Captured:
    """The messages of all inspiration channels. Every method runs on the library's thread, with the tables there."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def take(self, store: Store, posts: Sequence[Post], floor: int | None) -> Change:
        """Take in what these messages of one channel say now. `floor` stands in for `since` where it is lower."""
        found = read_followed(store, "channel = ?", [posts[0].channel]) if posts else []
        if not found:
            return Change()
        (channel,) = found
        since = channel.since if floor is None else min(channel.since, floor - 1)
        known = _captured(store, [post.message for post in posts])
        choices = _choices(store, {post.author for post in posts})
        left_out = numbers(
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
        self.let_go(store, sorted(unwanted & known.keys()), forget=False)
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

    def let_go(self, store: Store, messages: Sequence[int], *, forget: bool) -> int:
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

    def clear(self, store: Store, channel_id: int, since: int, gone: bool) -> int:
        """Let go of all that is kept of a channel, and where it is gone or off, of the channel."""
        messages = numbers(store, "SELECT message FROM captured WHERE channel = ?", [channel_id])
        removed = self.let_go(store, sorted(messages), forget=True)
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


def note_declined(store: Store, post: Post, declined: bool) -> None:
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
