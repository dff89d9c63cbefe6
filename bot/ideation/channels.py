"""Inspiration channels: which channels a server shares its taste in, and what of their messages the library keeps.

A channel is a source of its server's collection, each kept message one snippet of it, and library and channel agree:
what is edited there changes here, what is deleted there goes, whatever was missed is made good page by page
(`follow`). Whoever opted out is not kept. Channels, messages and people are numbers and names here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from bot.ideation import walls
from bot.ideation.captured import Captured, Change, note_declined
from bot.ideation.followed import SCHEMA, Followed, Reading, numbers, read_followed, switch_on, write
from bot.ideation.library import Library
from bot.ideation.posts import Post
from bot.ideation.shelf import CHANNEL
from bot.ideation.tables import Tables
from knowledge.store import Store


class Channels:
    """The inspiration channels of all servers. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._captured = Captured(library)
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
        return await self._tables.run(read_followed, "ifnull(?, space) = space", [space])

    async def of(self, channel_id: int) -> Followed | None:
        """This channel, if it is one."""
        found = await self._tables.run(read_followed, "channel = ?", [channel_id])
        return found[0] if found else None

    async def switch_on(
        self, space: str, channel_id: int, *, parent: int | None, title: str, address: str, since: int, marks: bool
    ) -> Followed:
        """Keep this channel's messages that come after `since`, a message's number. On already, only `marks` changes.

        What was kept before it was switched off stays; what was said while it was off is not kept.
        """
        await self._tables.run(switch_on, (channel_id, space, parent, title, address, marks, since))
        self._known = None
        (found,) = await self._tables.run(read_followed, "channel = ?", [channel_id])
        return found

    async def rename(self, channel_id: int, title: str) -> None:
        """The channel is called something else now."""

        def rename(store: Store) -> None:
            with store.transaction():
                store.db.execute("UPDATE inspiration SET title = ? WHERE channel = ?", [title, channel_id])
                store.db.execute(
                    "UPDATE sources SET title = ? WHERE kind = ? AND id IN "
                    "(SELECT source_id FROM walls WHERE channel = ?)",
                    [title, CHANNEL, channel_id],
                )

        await self._tables.run(rename)

    async def switch_off(self, channel_id: int) -> Followed | None:
        """Keep no further messages of this channel. Those that are kept follow their edits and deletions."""
        statement = (
            "UPDATE inspiration SET is_on = 0, reading = iif(reading = 'going', 'stopped', reading) WHERE channel = ?"
        )
        await self._tables.run(write, statement, [channel_id])
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
        await self._tables.run(write, statement, [since, Reading.NOT_BEGUN, source_id])

    async def channel_deleted(self, channel_id: int) -> int:
        """Let go of a channel that is no longer there, and all that was kept of it. Returns how many snippets went."""
        return await self._cleared(channel_id, 0, gone=True) if await self.follows(channel_id) else 0

    # Their messages

    async def keep(self, post: Post) -> Change:
        """Take in a message that was written or edited just now, or let it go where it is no longer worth keeping."""
        return await self._tables.run(self._captured.take, [post], None)

    async def let_go(self, message_ids: Iterable[int]) -> int:
        """Let go of messages that were deleted. Returns how many snippets went."""
        return await self._tables.run(self._captured.let_go, sorted(set(message_ids)), forget=True)

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
            lost = numbers(
                store,
                "SELECT message FROM captured WHERE channel = ? AND message BETWEEN ? AND ? "
                "UNION SELECT message FROM declined WHERE channel = ? AND message BETWEEN ? AND ?",
                [channel_id, first, last] * 2,
            )
            self._captured.let_go(store, sorted(lost - there), forget=True)
            with store.transaction():
                for post in page:
                    note_declined(store, post, post.message in declined)
            change = self._captured.take(store, page, first if back else None)
            if back:
                values = [first - 1, len(posts), len(change.kept), channel_id]
                write(
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
            numbers,
            "SELECT min(message) FROM (SELECT message FROM captured WHERE channel = ? UNION "
            "SELECT message FROM declined WHERE channel = ?) HAVING min(message) IS NOT NULL",
            [channel_id, channel_id],
        )
        return min(found, default=None)

    async def set_reading(self, channel_id: int, reading: Reading, told: tuple[int, int] | None = None) -> None:
        """Note how far the reading of older messages is, and where its progress is shown."""
        told_in, told_by = told or (None, None)
        await self._tables.run(
            write,
            "UPDATE inspiration SET reading = ?, told_in = ifnull(?, told_in), told_by = ifnull(?, told_by) "
            "WHERE channel = ?",
            [reading, told_in, told_by, channel_id],
        )

    # Their authors

    async def decline(self, channel_id: int, message_id: int, author: str) -> int:
        """Leave one message out because its author wants it. Returns how many snippets went."""

        def decline(store: Store) -> int:
            row = (message_id, channel_id, author)
            write(store, "INSERT OR REPLACE INTO declined VALUES (?, ?, ?)", row)
            return self._captured.let_go(store, [message_id], forget=False)

        return await self._tables.run(decline)

    async def undecline(self, message_id: int, author: str) -> bool:
        """Take that back; False when this person had not declined this message."""
        statement = "DELETE FROM declined WHERE message = ? AND author = ?"
        return bool(await self._tables.run(write, statement, [message_id, author]))

    async def opt_out(self, person: str) -> int:
        """Keep nothing of what a person posts, and let go of what was kept. Returns how many snippets went."""

        def leave(store: Store) -> int:
            write(store, "INSERT OR REPLACE INTO choices VALUES (?, 1, 0)", [person])
            theirs = numbers(store, "SELECT message FROM captured WHERE author = ?", [person])
            return self._captured.let_go(store, sorted(theirs), forget=False)

        return await self._tables.run(leave)

    async def opt_in(self, person: str, since: int) -> None:
        """Keep what a person posts again, after the message number `since`; nothing changes for who never left."""
        await self._tables.run(write, "UPDATE choices SET out = 0, since = ? WHERE person = ? AND out", [since, person])

    async def opted_out(self, person: str) -> bool:
        """Whether a person asked that nothing of theirs be kept."""
        query = "SELECT 1 FROM choices WHERE person = ? AND out"
        return bool(await self._tables.run(numbers, query, [person]))

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

    async def _cleared(self, channel_id: int, since: int, *, gone: bool) -> int:
        try:
            return await self._tables.run(self._captured.clear, channel_id, since, gone)
        finally:
            self._known = None
