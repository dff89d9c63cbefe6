"""What the embedded model may learn from: ideas that somebody kept who agreed to it, as lines of training examples.

People agree for themselves, in words of their own (`agree`), and take it back; nobody who did not is learned from. What
other people wrote in a channel is not learned from either: an idea that came from a message is left out, and so is one
whose spark is gone, since nobody can tell any more what it was. No line says who kept an idea. Weights are not known
here: bot/language/tuning.py has them changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlite_utils import Database, Migrations

from bot.ideation import walls
from bot.ideation.journal import Entry, now
from bot.ideation.library import Library
from bot.ideation.prompts import quoted
from bot.ideation.shelf import CHANNEL, MESSAGE
from bot.ideation.tables import Tables
from bot.ideation.types import Move
from knowledge.errors import BadInput
from knowledge.store import Store

SCHEMA = Migrations("tuning")
FEWEST = 30  # ideas: with fewer, what would be learned is these ideas and no way of having them
FEWEST_BRIEFS = 2  # one to learn from, one to hold out
MOST = 100_000
TERMINAL = "terminal"
SERVER = "guild:"


@SCHEMA(name="0001_agreed")
def _agreed(db: Database) -> None:
    db.execute("CREATE TABLE tuning_agreed (person TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID")


class Fault(StrEnum):
    """Why a kept idea is not learned from."""

    NOT_AGREED = "kept by nobody who agreed"
    DEVELOPED = "twisted or remixed, not brainstormed"
    UNGROUNDED = "without the spark they were shown with"
    MESSAGE = "sparked by somebody's message"
    GONE = "whose spark is no longer in the library"


@dataclass(frozen=True, slots=True)
class Lessons:
    """The kept ideas of some spaces that may be learned from, and how many may not be, by reason."""

    entries: tuple[Entry, ...]
    by_space: dict[str, int]
    left_out: dict[Fault, int]

    @property
    def briefs(self) -> int:
        """How many different briefs the ideas are for."""
        return len({" ".join(entry.brief.text.lower().split()) for entry in self.entries})

    @property
    def records(self) -> list[dict[str, Any]]:
        """The ideas in the form of training/examples: one JSON object a line, without anybody's name."""
        return [_record(entry) for entry in self.entries]

    def require_enough(self) -> None:
        """Raise `BadInput` where there is too little to learn from: it says how much there is and how more comes."""
        count = len(self.entries)
        if count < FEWEST:
            raise BadInput(
                f"Tuning takes at least {FEWEST} kept ideas that may be learned from, and there {_are(count)}. More "
                "come when you keep ideas in the studio (save 3), and when people who said /privacy tuning agreed:True "
                f"keep theirs on Discord{self._why()}."
            )
        if self.briefs < FEWEST_BRIEFS:
            raise BadInput(
                f"All {count} ideas are for one brief, and one has to be held out to measure with: keep some ideas for "
                "another brief, then tune."
            )

    def _why(self) -> str:
        told = "; ".join(f"{count} {fault}" for fault, count in self.left_out.items())
        return f" (kept, but left out: {told})" if told else ""


def _are(count: int) -> str:
    return {0: "are none", 1: "is 1"}.get(count, f"are {count}")


class Tuning:
    """Who agreed to be learned from, and what that gives. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables = Tables(library, walls.SCHEMA, SCHEMA)

    async def agree(self, person: str, agreed: bool) -> None:
        """Let the ideas that a person keeps be learned from, in all spaces, or no longer. At first nobody has."""

        def write(store: Store) -> None:
            with store.transaction():
                if agreed:
                    store.db.execute("INSERT OR IGNORE INTO tuning_agreed VALUES (?, ?)", [person, now()])
                else:
                    store.db.execute("DELETE FROM tuning_agreed WHERE person = ?", [person])

        await self._tables.run(write)

    async def agreed(self, person: str) -> str | None:
        """When a person agreed, in ISO 8601; None for who did not."""

        def read(store: Store) -> str | None:
            found = store.db.execute("SELECT at FROM tuning_agreed WHERE person = ?", [person]).fetchone()
            return found[0] if found else None

        return await self._tables.run(read)

    async def lessons(self, spaces: Sequence[str] = (), also: Iterable[str] = ()) -> Lessons:
        """What may be learned from in these spaces, or where none is named in the terminal's and every server's.

        `also` are people who agree by asking this. Raises `BadInput` for a space that has no ideas, and for people's
        own spaces: what stands there is nobody else's to use.
        """
        return await self._tables.run(self._lessons, tuple(spaces), frozenset(also))

    def _lessons(self, store: Store, named: Sequence[str], also: frozenset[str]) -> Lessons:
        known = [row[0] for row in store.db.execute("SELECT DISTINCT space FROM sessions ORDER BY space").fetchall()]
        shared = [space for space in known if space == TERMINAL or space.startswith(SERVER)]
        for space in named:
            if space not in shared and space in known:
                raise BadInput(f"{quoted(space)} is a person's own space: what stands there is not learned from.")
            if space not in shared:
                raise BadInput(f"No ideas were made in {quoted(space)!r}: there are {', '.join(shared) or 'none yet'}.")
        agreed = also | {row[0] for row in store.db.execute("SELECT person FROM tuning_agreed").fetchall()}
        spaces = list(dict.fromkeys(named)) or shared
        from_messages, orphans = _from_messages(store, spaces), _orphans(store, spaces)
        entries: list[Entry] = []
        by_space: Counter[str] = Counter()
        left_out: Counter[Fault] = Counter()
        for space in spaces:
            for entry in self._library.journal.ideas(space, kept=True, limit=MOST):
                if agreed.isdisjoint(entry.kept_by):
                    left_out[Fault.NOT_AGREED] += 1
                elif entry.idea.move is not Move.BRAINSTORM:
                    left_out[Fault.DEVELOPED] += 1
                elif entry.idea.id in from_messages:
                    left_out[Fault.MESSAGE] += 1
                elif entry.idea.id in orphans or not entry.idea.sparks:
                    left_out[Fault.GONE] += 1
                elif not entry.idea.provenance.grounded:
                    left_out[Fault.UNGROUNDED] += 1
                else:
                    entries.append(entry)
                    by_space[space] += 1
        return Lessons(tuple(entries), dict(by_space), {fault: left_out[fault] for fault in Fault if left_out[fault]})


def _from_messages(store: Store, spaces: Sequence[str]) -> set[str]:
    """Ideas that come from a message, or whose parents do: its wall is known when its source no longer is."""
    rows = store.db.execute(
        "SELECT DISTINCT k.idea_id FROM idea_sources k JOIN ideas i ON i.id = k.idea_id "
        "JOIN sessions s ON s.id = i.session_id WHERE s.space IN (SELECT value FROM json_each(?)) "
        "AND (k.source_id IN (SELECT source_id FROM walls) "
        "OR k.source_id IN (SELECT id FROM sources WHERE kind IN (?, ?)))",
        [json.dumps(spaces), MESSAGE, CHANNEL],
    ).fetchall()
    return {row[0] for row in rows}


def _orphans(store: Store, spaces: Sequence[str]) -> set[str]:
    """Ideas that lost a spark, or a source that they or their parents come from."""
    rows = store.db.execute(
        "SELECT i.id FROM ideas i JOIN sessions s ON s.id = i.session_id "
        "WHERE s.space IN (SELECT value FROM json_each(?)) AND ("
        "EXISTS (SELECT 1 FROM idea_sparks k WHERE k.idea_id = i.id "
        "AND k.snippet_id NOT IN (SELECT id FROM snippets)) OR "
        "EXISTS (SELECT 1 FROM idea_sources k WHERE k.idea_id = i.id AND k.source_id NOT IN (SELECT id FROM sources)))",
        [json.dumps(spaces)],
    ).fetchall()
    return {row[0] for row in rows}


def _record(entry: Entry) -> dict[str, Any]:
    idea, brief = entry.idea, entry.brief
    aims = {name: value for name, value in (("audience", brief.audience), ("tone", brief.tone)) if value}
    return {
        "task": "brainstorm",
        "input": {
            "brief": brief.text,
            **aims,
            "inspirations": [hit.snippet.text for hit in idea.sparks],
            "technique": str(idea.technique),
        },
        "output": {
            "title": quoted(idea.title),
            "idea": quoted(idea.body),
            "first_step": quoted(idea.first_step),
        },
    }
