"""The tables of inspiration channels, and a row of them as a value. On the library's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlite_utils import Database, Migrations

from knowledge.store import Store

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


def read_followed(store: Store, condition: str, values: Sequence[object]) -> list[Followed]:
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


def switch_on(store: Store, row: tuple[object, ...]) -> None:
    with store.transaction():
        store.db.execute(
            "INSERT INTO inspiration (channel, space, parent, title, address, is_on, marks, since) "
            "VALUES (?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (channel) DO UPDATE SET title = excluded.title, "
            "marks = excluded.marks, since = iif(is_on, since, excluded.since), "
            "reading = iif(is_on, reading, 'not begun'), is_on = 1",
            row,
        )


def write(store: Store, statement: str, values: Sequence[object]) -> int:
    with store.transaction():
        return store.db.execute(statement, values).rowcount


def numbers(store: Store, query: str, values: Sequence[object]) -> set[int]:
    return {row[0] for row in store.db.execute(query, values).fetchall()}
