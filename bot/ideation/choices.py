"""Learning from people: duels between two ideas, and what a space's choices say of its taste.

A choice is a duel that somebody decided, or that within one session some ideas were voted for or kept and others were
not. It counts for its own space alone. A space may switch learning off, and may have all that was learned forgotten:
then only what is chosen from that moment on counts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sqlite_utils import Database, Migrations

from bot.ideation.journal import OF_OTHER_SOURCES, Entry, now
from bot.ideation.lexical import content_words
from bot.ideation.library import Library
from bot.ideation.tables import Tables
from bot.ideation.taste import Taste, Vector, fit, telling_words
from knowledge.errors import BadInput
from knowledge.rows import as_json
from knowledge.store import NO_FILTERS, Store
from knowledge.types import Filters

SCHEMA = Migrations("choices")
NEWEST = 300  # ideas that duels are drawn from
MOST_CHOICES = 600  # the newest choices that a taste is fitted to: some milliseconds
KEEP_WORTH = 2  # votes


@SCHEMA(name="0001_duels")
def _duels(db: Database) -> None:
    db.execute(
        """CREATE TABLE duels (
            winner TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE,
            loser TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE,
            person TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (person, winner, loser))"""
    )
    db.execute("CREATE TABLE learning (space TEXT PRIMARY KEY, learns INTEGER NOT NULL, since TEXT NOT NULL)")


@dataclass(frozen=True, slots=True)
class Learned:
    """What a space's choices say: how many there are, by how many people, and the words that lean either way."""

    learns: bool
    choices: int
    people: int
    towards: tuple[str, ...] = ()
    away: tuple[str, ...] = ()


class Choices:
    """The choices of all spaces. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tables = Tables(library, SCHEMA)

    async def duel(
        self, space: str, person: str, besides: frozenset[str] = frozenset(), filters: Filters = NO_FILTERS
    ) -> tuple[Entry, Entry]:
        """Two ideas for one brief whose order is the least sure, and which the person has not compared yet.

        `besides` are the ids of two ideas that shall not come up together now; ideas from sources that `filters` leave
        out do not come up.

        Raises:
            BadInput: there are no two such ideas.
        """
        without = filters.without_sources
        pair = await self._tables.run(_next_pair, space, person, besides, self._library.embedder.name, without)
        if pair is None:
            raise BadInput("There are no two ideas left to compare: brainstorm some more, then come back.")
        journal = self._library.journal
        first, second = [await self._library.run(journal.idea, space, idea_id) for idea_id in pair]
        return first, second

    async def pick(self, space: str, person: str, winner: str, loser: str) -> None:
        """Write down a duel's outcome; the same two again, the other way round, replaces it. Raises `UnknownIdea`."""
        for idea_id in (winner, loser):
            await self._library.run(self._library.journal.idea, space, idea_id)
        await self._tables.run(_write, person, winner, loser)

    async def taste(self, space: str) -> Taste | None:
        """The space's taste; None where learning is off or nothing was chosen yet."""
        return await self._tables.run(_taste, space, self._library.embedder.name)

    async def learned(self, space: str, filters: Filters = NO_FILTERS) -> Learned:
        """What the space's choices say, in words; in none of ideas from sources that `filters` leave out."""
        return await self._tables.run(_learned, space, self._library.embedder.name, filters.without_sources)

    async def switch(self, space: str, learns: bool) -> None:
        """Let choices count from now on, or count no more. They are kept either way."""
        await self._tables.run(_set, space, learns=learns)

    async def forget(self, space: str) -> None:
        """Remove the space's duels, and let no vote or keep of before this moment count. Votes and keeps stay."""
        await self._tables.run(_set, space, forget=True)

    async def of_person(self, person: str) -> list[dict[str, str]]:
        """Every duel that a person decided, oldest first: what an export of theirs says."""
        return await self._tables.run(_of_person, person)

    async def forget_person(self, person: str) -> int:
        """Remove every duel that a person decided, in all spaces. Returns how many there were."""
        return await self._tables.run(_forget_person, person)


@dataclass(frozen=True, slots=True)
class _Choice:
    better: str
    worse: str
    weight: float


def _state(store: Store, space: str) -> tuple[bool, str]:
    """Whether the space learns, and since when its choices count."""
    for row in store.db.query("SELECT learns, since FROM learning WHERE space = ?", [space]):
        return bool(row["learns"]), row["since"]
    return True, ""


def _choices(store: Store, space: str) -> tuple[list[_Choice], int]:
    """The space's newest choices that count, and how many people made them."""
    _, since = _state(store, space)
    duels = list(
        store.db.query(
            "SELECT d.* FROM duels d JOIN ideas i ON i.id = d.winner JOIN sessions s ON s.id = i.session_id "
            "WHERE s.space = ? ORDER BY d.at DESC LIMIT ?",
            [space, MOST_CHOICES],
        )
    )
    people = {row["person"] for row in duels}
    found = [_Choice(row["winner"], row["loser"], 1.0) for row in duels]
    worth: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    marks = store.db.query(
        "SELECT m.*, i.session_id FROM (SELECT idea_id, person, value, at FROM votes UNION ALL "
        "SELECT idea_id, person, ?, at FROM keeps) m JOIN ideas i ON i.id = m.idea_id "
        "JOIN sessions s ON s.id = i.session_id WHERE s.space = ? AND m.at > ? ORDER BY m.at DESC LIMIT ?",
        [KEEP_WORTH, space, since, MOST_CHOICES],
    )
    for row in marks:
        worth[row["session_id"]][row["idea_id"]] += row["value"]
        people.add(row["person"])
    for session_id, marked in worth.items():
        rows = store.db.query("SELECT id FROM ideas WHERE session_id = ?", [session_id])
        scores = {row["id"]: marked.get(row["id"], 0) for row in rows}
        pairs = [pair for pair in combinations(scores, 2) if scores[pair[0]] != scores[pair[1]]]
        for pair in pairs:  # a session with one mark says as much as one duel, however many ideas it has
            worse, better = sorted(pair, key=lambda idea_id: scores[idea_id])
            found.append(_Choice(better, worse, len(marked) / len(pairs)))
    return found[:MOST_CHOICES], len(people)


def _vectors(store: Store, ids: set[str], embedder: str) -> dict[str, Vector]:
    marks = ", ".join("?" * len(ids))
    rows = store.db.query(f"SELECT id, vector FROM ideas WHERE embedder = ? AND id IN ({marks})", [embedder, *ids])  # noqa: S608
    return {row["id"]: np.frombuffer(row["vector"], dtype="<f4") for row in rows}


def _fitted(store: Store, space: str, embedder: str) -> Taste | None:
    choices, _ = _choices(store, space)
    vectors = _vectors(store, {one for choice in choices for one in (choice.better, choice.worse)}, embedder)
    choices = [one for one in choices if one.better in vectors and one.worse in vectors]
    if not choices:
        return None
    better = np.stack([vectors[one.better] for one in choices])
    worse = np.stack([vectors[one.worse] for one in choices])
    return fit(better, worse, [one.weight for one in choices])


def _taste(store: Store, space: str, embedder: str) -> Taste | None:
    return _fitted(store, space, embedder) if _state(store, space)[0] else None


def _learned(store: Store, space: str, embedder: str, without: frozenset[int]) -> Learned:
    choices, people = _choices(store, space)
    learns, _ = _state(store, space)
    taste = _fitted(store, space, embedder)
    if taste is None:
        return Learned(learns, len(choices), people)
    rows = {
        row["id"]: " ".join(set(content_words(f"{row['title']} {row['body']}")) - set(content_words(row["brief"])))
        for row in store.db.query(
            "SELECT i.id, i.title, i.body, s.brief FROM ideas i JOIN sessions s ON s.id = i.session_id "  # noqa: S608
            f"WHERE s.space = ? AND i.embedder = ? AND {OF_OTHER_SOURCES} ORDER BY i.rowid DESC LIMIT ?",
            [space, embedder, as_json(without), NEWEST],
        )
    }  # without the words of their briefs, which tell what was asked for and not what was liked
    if not rows:
        return Learned(learns, len(choices), people)
    vectors = _vectors(store, set(rows), embedder)
    towards, away = telling_words(taste, list(rows.values()), np.stack([vectors[one] for one in rows]))
    return Learned(learns, len(choices), people, tuple(towards), tuple(away))


def _next_pair(
    store: Store, space: str, person: str, besides: frozenset[str], embedder: str, without: frozenset[int]
) -> tuple[str, str] | None:
    rows = store.db.query(
        "SELECT i.id, i.session_id FROM ideas i JOIN sessions s ON s.id = i.session_id WHERE s.space = ? "  # noqa: S608
        f"AND i.embedder = ? AND {OF_OTHER_SOURCES} ORDER BY i.rowid DESC LIMIT ?",
        [space, embedder, as_json(without), NEWEST],
    )
    sessions: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        sessions[row["session_id"]].append(row["id"])
    decided = store.db.query("SELECT winner, loser FROM duels WHERE person = ?", [person])
    had = {besides, *(frozenset((row["winner"], row["loser"])) for row in decided)}
    pairs = [pair for ideas in sessions.values() for pair in combinations(ideas, 2) if frozenset(pair) not in had]
    if not pairs:
        return None
    taste = _taste(store, space, embedder)
    if taste is None:
        return pairs[0]
    vectors = _vectors(store, {one for pair in pairs for one in pair}, embedder)
    strengths = {one: float(taste.strength(vector)) for one, vector in vectors.items()}
    return min(pairs, key=lambda pair: abs(strengths[pair[0]] - strengths[pair[1]]))


def _write(store: Store, person: str, winner: str, loser: str) -> None:
    with store.transaction():
        store.db.execute("DELETE FROM duels WHERE person = ? AND winner = ? AND loser = ?", [person, loser, winner])
        store.db.execute("INSERT OR REPLACE INTO duels VALUES (?, ?, ?, ?)", [winner, loser, person, now()])


def _set(store: Store, space: str, *, learns: bool | None = None, forget: bool = False) -> None:
    before, since = _state(store, space)
    with store.transaction():
        if forget:
            since = now()
            store.db.execute(
                "DELETE FROM duels WHERE winner IN (SELECT i.id FROM ideas i JOIN sessions s ON s.id = i.session_id "
                "WHERE s.space = ?)",
                [space],
            )
        state = before if learns is None else learns
        store.db.execute("INSERT OR REPLACE INTO learning VALUES (?, ?, ?)", [space, int(state), since])


def _of_person(store: Store, person: str) -> list[dict[str, str]]:
    rows = store.db.query(
        "SELECT w.title AS preferred, l.title AS other, d.at FROM duels d JOIN ideas w ON w.id = d.winner "
        "JOIN ideas l ON l.id = d.loser WHERE d.person = ? ORDER BY d.at",
        [person],
    )
    return [dict(row) for row in rows]


def _forget_person(store: Store, person: str) -> int:
    with store.transaction():
        return int(store.db.execute("DELETE FROM duels WHERE person = ?", [person]).rowcount)
