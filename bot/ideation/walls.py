"""Walls inside a space: which channel a source comes from, so that only those who see the channel are shown it.

Who sees what is for Discord's side to say (`bot/cogs/sight.py`). A wall outlives its source: an idea that was made
from a message is no more everybody's because the message was deleted. It holds numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlite_utils import Database, Migrations

from bot.ideation.library import Library
from bot.ideation.tables import Tables
from knowledge.store import Store
from knowledge.types import Source

SCHEMA = Migrations("walls")


@SCHEMA(name="0001_walls")
def _walls(db: Database) -> None:
    """For messages that were saved before there were walls, the channel is known and no more."""
    for statement in (
        "CREATE TABLE walls (source_id INTEGER PRIMARY KEY, space TEXT NOT NULL, channel INTEGER NOT NULL, "
        "parent INTEGER)",
        "CREATE INDEX walls_by_space ON walls (space)",
    ):
        db.execute(statement)
    if "contributions" in db.table_names():
        db.execute(
            "INSERT INTO walls SELECT c.source_id, k.space, c.channel, NULL FROM contributions c "
            "JOIN sources s ON s.id = c.source_id JOIN collections k ON k.id = s.collection_id "
            "WHERE c.channel IS NOT NULL"
        )


@dataclass(frozen=True, slots=True)
class Wall:
    """A source that comes from a channel of a space; `parent` is the channel that a thread hangs on."""

    source: int
    space: str
    channel: int
    parent: int | None


class Walls:
    """All walls. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._tables = Tables(library, SCHEMA)

    async def around(self, spaces: Sequence[str], ideas_of: Sequence[str] = ()) -> list[Wall]:
        """The walls in these spaces, and those of sources elsewhere that ideas of the spaces `ideas_of` come from."""
        return await self._tables.run(_around, spaces, ideas_of)

    async def threads(self, channel_id: int) -> list[int]:
        """The threads of a channel that anything came from."""

        def read(store: Store) -> list[int]:
            query = "SELECT DISTINCT channel FROM walls WHERE parent = ?"
            return [row[0] for row in store.db.execute(query, [channel_id]).fetchall()]

        return await self._tables.run(read)

    async def channel_opened(self, channel_id: int) -> None:
        """A channel that everybody saw is no longer there: what came from it and its threads needs no wall any more."""
        await self._tables.run(_forget_channel, channel_id)


def build_wall(store: Store, source: Source, space: str, channel: int, parent: int | None) -> None:
    """Note which channel a source comes from; within a transaction, with the tables there."""
    store.db.execute("INSERT OR REPLACE INTO walls VALUES (?, ?, ?, ?)", (source.id, space, channel, parent))


def _around(store: Store, spaces: Sequence[str], ideas_of: Sequence[str]) -> list[Wall]:
    rows = store.db.execute(
        "SELECT source_id, space, channel, parent FROM walls WHERE space IN (SELECT value FROM json_each(:spaces)) "
        "UNION SELECT w.source_id, w.space, w.channel, w.parent FROM sessions s JOIN ideas i ON i.session_id = s.id "
        "JOIN idea_sources k ON k.idea_id = i.id JOIN walls w ON w.source_id = k.source_id "
        "WHERE s.space IN (SELECT value FROM json_each(:ideas_of))",
        {"spaces": json.dumps(list(spaces)), "ideas_of": json.dumps(list(ideas_of))},
    ).fetchall()
    return [Wall(*row) for row in rows]


def _forget_channel(store: Store, channel_id: int) -> None:
    with store.transaction():
        store.db.execute("DELETE FROM walls WHERE ? IN (channel, parent)", [channel_id])
