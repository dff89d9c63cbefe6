"""The journal: every session and idea, who kept and voted for what, in the same SQLite file as the library.

Synchronous; it lives on the thread that opened the store. Nothing is read or written across spaces: every question
names one. Sparks are remembered by snippet id alone, so that a snippet which is deleted from the library is gone from
here too.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.ideation.errors import UnknownIdea
from bot.ideation.journal_tables import SCHEMA
from bot.ideation.types import Brief, Idea, Move, Provenance, Session, Technique
from knowledge.migrations import apply_migrations
from knowledge.rows import as_json
from knowledge.store import Store
from knowledge.types import Band, Hit

NOTHING: frozenset[int] = frozenset()

OF_OTHER_SOURCES = "i.id NOT IN (SELECT idea_id FROM idea_sources WHERE source_id IN (SELECT value FROM json_each(?)))"


def now() -> str:
    """This moment in ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_id() -> str:
    """A short id for a session or an idea: ten hexadecimal digits."""
    return secrets.token_hex(5)


@dataclass(frozen=True, slots=True)
class Entry:
    """An idea as the journal tells of it: with its session's brief, who kept it and what was voted."""

    idea: Idea
    brief: Brief
    kept_by: tuple[str, ...]
    votes_for: int
    votes_against: int


@dataclass(frozen=True, slots=True)
class Titled:
    """An idea's id and title, and the brief it was for."""

    id: str
    title: str
    brief: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person did with an idea: kept it (`value` 0), or voted for (1) or against (-1) it."""

    idea_id: str
    title: str
    value: int
    at: str


class Journal:
    """Sessions, ideas, keeps and votes of all spaces. Raises what the store raises.

    Where a question takes `without`, ideas that come from one of those sources are as if they were not there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        apply_migrations(store.db, SCHEMA)

    def open_session(self, session: Session) -> None:
        """Write down a session before its first idea."""
        with self._store.transaction():
            self._store.db.table("sessions").insert(
                {
                    "id": session.id,
                    "space": session.space,
                    "brief": session.brief.text,
                    "audience": session.brief.audience,
                    "tone": session.brief.tone,
                    "seed": session.seed,
                    "model": session.model,
                    "created_at": session.created_at,
                }
            )

    def add(self, idea: Idea, vector: NDArray[np.float32], embedder: str) -> None:
        """Write down an idea with the unit vector (d,) of its body, in one transaction."""
        made = idea.provenance
        with self._store.transaction():
            self._store.db.table("ideas").insert(
                {
                    "id": idea.id,
                    "session_id": idea.session_id,
                    "place": idea.place,
                    "title": idea.title,
                    "body": idea.body,
                    "first_step": idea.first_step,
                    "technique": idea.technique,
                    "move": idea.move,
                    "how": idea.how,
                    "model": made.model,
                    "prompt_hash": made.prompt_hash,
                    "seed": made.seed,
                    "temperature": made.temperature,
                    "created_at": made.created_at,
                    "seconds": made.seconds,
                    "grounded": int(made.grounded),
                    "embedder": embedder,
                    "vector": vector.astype("<f4").tobytes(),
                }
            )
            self._store.db.table("idea_sparks").insert_all(
                {
                    "idea_id": idea.id,
                    "place": place,
                    "snippet_id": hit.snippet.id,
                    "score": hit.score,
                    "similarity": hit.similarity,
                    "band": hit.band,
                    "why": hit.why,
                }
                for place, hit in enumerate(idea.sparks, start=1)
            )
            self._store.db.table("idea_parents").insert_all(
                {"idea_id": idea.id, "place": place, "parent_id": parent}
                for place, parent in enumerate(idea.parents, start=1)
            )
            self._store.db.execute(
                "INSERT INTO idea_sources SELECT ?, source_id FROM "
                "(SELECT value AS source_id FROM json_each(?) UNION SELECT source_id FROM idea_sources "
                "WHERE idea_id IN (SELECT value FROM json_each(?)))",
                [idea.id, as_json(hit.snippet.source_id for hit in idea.sparks), json.dumps(idea.parents)],
            )

    def session(self, space: str, session_id: str) -> Session:
        """The session of that id. Raises `UnknownIdea` when this space has none."""
        for row in self._store.db.query("SELECT * FROM sessions WHERE id = ? AND space = ?", [session_id, space]):
            return Session(row["id"], row["space"], _brief(row), row["seed"], row["model"], row["created_at"])
        raise UnknownIdea(f"There is no session {session_id!r} here.")

    def idea(self, space: str, idea_id: str, without: Set[int] = NOTHING) -> Entry:
        """The idea of that id. Raises `UnknownIdea` when this space has none."""
        entries = self._entries("i.id = ? AND s.space = ?", [idea_id, space], 1, without)
        if not entries:
            raise UnknownIdea(f"There is no idea {idea_id!r} here.")
        return entries[0]

    def ideas(
        self,
        space: str,
        *,
        session_id: str | None = None,
        containing: str = "",
        kept: bool = False,
        limit: int = 1000,
        without: Set[int] = NOTHING,
    ) -> list[Entry]:
        """The space's ideas, newest session first and in shown order within it."""
        where, values = ["s.space = ?"], [space]
        if session_id:
            where.append("i.session_id = ?")
            values.append(session_id)
        if containing:
            where.append("(i.title || ' ' || i.body || ' ' || s.brief) LIKE ? ESCAPE '\\'")
            values.append(_like(containing))
        if kept:
            where.append("i.id IN (SELECT idea_id FROM keeps)")
        return self._entries(" AND ".join(where), values, limit, without)

    def titles(self, space: str, containing: str = "", limit: int = 25, without: Set[int] = NOTHING) -> list[Titled]:
        """The space's ideas whose title contains a text, newest first: quick, for a list that follows one's typing."""
        rows = self._store.db.query(
            "SELECT i.id, i.title, s.brief FROM ideas i JOIN sessions s ON s.id = i.session_id "  # noqa: S608
            f"WHERE s.space = ? AND i.title LIKE ? ESCAPE '\\' AND {OF_OTHER_SOURCES} ORDER BY i.rowid DESC LIMIT ?",
            [space, _like(containing), as_json(without), limit],
        )
        return [Titled(row["id"], row["title"], row["brief"]) for row in rows]

    def vectors(self, space: str, embedder: str) -> NDArray[np.float32]:
        """The unit vectors (n, d) of all the space's ideas under that embedder; (0, 0) when there are none."""
        rows = list(
            self._store.db.query(
                "SELECT i.vector FROM ideas i JOIN sessions s ON s.id = i.session_id "
                "WHERE s.space = ? AND i.embedder = ? ORDER BY i.rowid",
                [space, embedder],
            )
        )
        if not rows:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([np.frombuffer(row["vector"], dtype="<f4") for row in rows])

    def sparks_used(self, space: str, session_id: str) -> frozenset[int]:
        """Ids of the snippets that this session's ideas have already been sparked by."""
        rows = self._store.db.query(
            "SELECT k.snippet_id FROM idea_sparks k JOIN ideas i ON i.id = k.idea_id "
            "JOIN sessions s ON s.id = i.session_id WHERE s.space = ? AND s.id = ?",
            [space, session_id],
        )
        return frozenset(row["snippet_id"] for row in rows)

    def keep(self, space: str, idea_id: str, person: str, keep: bool = True) -> None:
        """Keep an idea for a person, or with `keep` false let it go again. Raises `UnknownIdea`."""
        self.idea(space, idea_id)
        with self._store.transaction():
            if keep:
                self._store.db.table("keeps").upsert(
                    {"idea_id": idea_id, "person": person, "at": now()}, pk=("idea_id", "person")
                )
            else:
                self._store.db.table("keeps").delete_where("idea_id = ? AND person = ?", [idea_id, person])

    def vote(self, space: str, idea_id: str, person: str, value: int) -> None:
        """One vote a person, changeable: 1 for, -1 against, 0 takes it back. Raises `UnknownIdea`."""
        self.idea(space, idea_id)
        with self._store.transaction():
            if value:
                self._store.db.table("votes").upsert(
                    {"idea_id": idea_id, "person": person, "value": max(-1, min(1, value)), "at": now()},
                    pk=("idea_id", "person"),
                )
            else:
                self._store.db.table("votes").delete_where("idea_id = ? AND person = ?", [idea_id, person])

    def voted(self, idea_id: str, person: str) -> int:
        """What a person voted for an idea: 1, -1, or 0 where there is no vote."""
        for row in self._store.db.query("SELECT value FROM votes WHERE idea_id = ? AND person = ?", [idea_id, person]):
            return int(row["value"])
        return 0

    def marks(self, person: str) -> list[Mark]:
        """Every keep and vote of a person, in all spaces, oldest first: what an export of theirs says."""
        rows = self._store.db.query(
            "SELECT m.idea_id, i.title, m.value, m.at FROM "
            "(SELECT idea_id, 0 AS value, at FROM keeps WHERE person = :who "
            "UNION ALL SELECT idea_id, value, at FROM votes WHERE person = :who) m "
            "JOIN ideas i ON i.id = m.idea_id ORDER BY m.at",
            {"who": person},
        )
        return [Mark(row["idea_id"], row["title"], row["value"], row["at"]) for row in rows]

    def forget_space(self, space: str) -> int:
        """Remove every session of a space with its ideas. Returns how many ideas there were."""
        with self._store.transaction():
            ideas = self._store.db.execute(
                "SELECT count(*) FROM ideas WHERE session_id IN (SELECT id FROM sessions WHERE space = ?)", [space]
            ).fetchone()[0]
            self._store.db.execute("DELETE FROM sessions WHERE space = ?", [space])
        return int(ideas)

    def forget_person(self, person: str) -> int:
        """Remove every keep and vote of a person, in all spaces. Returns how many there were."""
        with self._store.transaction():
            return sum(
                self._store.db.execute(f"DELETE FROM {table} WHERE person = ?", [person]).rowcount  # noqa: S608
                for table in ("keeps", "votes")
            )

    def _entries(self, where: str, values: Sequence[str], limit: int, without: Set[int]) -> list[Entry]:
        rows = list(
            self._store.db.query(
                "SELECT i.*, s.brief, s.audience, s.tone FROM ideas i JOIN sessions s ON s.id = i.session_id "  # noqa: S608
                f"WHERE {where} AND {OF_OTHER_SOURCES} ORDER BY s.created_at DESC, s.rowid DESC, i.place LIMIT ?",
                [*values, as_json(without), limit],
            )
        )
        ids = [row["id"] for row in rows]
        sparks = self._grouped("SELECT * FROM idea_sparks WHERE idea_id IN", ids, "ORDER BY place")
        parents = self._grouped("SELECT * FROM idea_parents WHERE idea_id IN", ids, "ORDER BY place")
        keeps = self._grouped("SELECT * FROM keeps WHERE idea_id IN", ids, "ORDER BY at")
        votes = self._grouped("SELECT * FROM votes WHERE idea_id IN", ids, "")
        snippets = {
            snippet.id: snippet
            for snippet in self._store.snippets({spark["snippet_id"] for found in sparks.values() for spark in found})
        }
        return [
            Entry(
                _idea(
                    row,
                    tuple(
                        Hit(snippets[k["snippet_id"]], k["score"], k["similarity"], Band(k["band"]), k["why"])
                        for k in sparks.get(row["id"], ())
                        if k["snippet_id"] in snippets
                    ),
                    tuple(parent["parent_id"] for parent in parents.get(row["id"], ())),
                ),
                _brief(row),
                tuple(kept["person"] for kept in keeps.get(row["id"], ())),
                sum(vote["value"] > 0 for vote in votes.get(row["id"], ())),
                sum(vote["value"] < 0 for vote in votes.get(row["id"], ())),
            )
            for row in rows
        ]

    def _grouped(self, select: str, ids: Sequence[str], order: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for batch in _batches(ids, 500):  # SQLite bounds the variables of one statement
            marks = ", ".join("?" * len(batch))
            for row in self._store.db.query(f"{select} ({marks}) {order}", batch):
                found.setdefault(row["idea_id"], []).append(row)
        return found


def _like(text: str) -> str:
    """A LIKE pattern for texts that contain this one, with backslash as its escape."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _batches(ids: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _brief(row: dict[str, Any]) -> Brief:
    return Brief(row["brief"], row["audience"], row["tone"])


def _idea(row: dict[str, Any], sparks: tuple[Hit, ...], parents: tuple[str, ...]) -> Idea:
    return Idea(
        id=row["id"],
        session_id=row["session_id"],
        place=row["place"],
        title=row["title"],
        body=row["body"],
        first_step=row["first_step"],
        technique=Technique(row["technique"]),
        sparks=sparks,
        provenance=Provenance(
            model=row["model"],
            prompt_hash=row["prompt_hash"],
            seed=row["seed"],
            temperature=row["temperature"],
            created_at=row["created_at"],
            seconds=row["seconds"],
            grounded=bool(row["grounded"]),
        ),
        move=Move(row["move"]),
        parents=parents,
        how=row["how"],
    )
