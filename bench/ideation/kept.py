"""What the bench keeps on disk: a run that was broken off goes on where it was, and a new score costs no model.

The same model, messages and sampling (its seed included) give the same text, so an answer is found again by these and
by nothing else: gates, selection and metrics may change without its being written anew, and arms that share candidates
share what it cost to write them. So are a referee's values, and the seconds of the runs that were timed.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.yardstick import Referee
from bot.language.base import Continuation, Ending, LanguageModel, Message, Piece

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, ending TEXT, log_likelihood REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS nats (key TEXT PRIMARY KEY, value REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seconds (key TEXT PRIMARY KEY, first REAL, total REAL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds from a request to its first idea (None where it gave none) and to the whole set."""

    first: float | None
    total: float


class Kept:
    """The file. What is kept is written at once; nothing in it is ever changed but by being measured again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def answer(self, key: str) -> tuple[str, Ending, float | None] | None:
        """The text, ending and mean log likelihood that were kept under the key."""
        row = self._database.execute("SELECT text, ending, log_likelihood FROM answers WHERE key = ?", [key]).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def keep_answer(self, key: str, text: str, ending: Ending, log_likelihood: float | None) -> None:
        """Keep one whole answer."""
        self._database.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", [key, text, ending, log_likelihood]
        )

    def nats(self, keys: Sequence[str]) -> dict[str, float]:
        """The values that are kept, by key."""
        found = [self._database.execute("SELECT key, value FROM nats WHERE key = ?", [key]).fetchone() for key in keys]
        return {row[0]: row[1] for row in found if row}

    def keep_nats(self, values: dict[str, float]) -> None:
        """Keep a referee's values, by key."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO nats VALUES (?, ?)", values.items())
        self._database.execute("COMMIT")

    def seconds(self, key: str) -> Seconds | None:
        """How long the run of that key took."""
        row = self._database.execute("SELECT first, total FROM seconds WHERE key = ?", [key]).fetchone()
        return Seconds(*row) if row else None

    def keep_seconds(self, key: str, seconds: Seconds) -> None:
        """Keep how long a run took."""
        self._database.execute("INSERT OR REPLACE INTO seconds VALUES (?, ?, ?)", [key, seconds.first, seconds.total])


class KeptModel:
    """A language model whose finished answers are kept, and given again instead of being written.

    While `fresh` is True every answer is written, as a run that is timed needs. `written` counts the answers that the
    model had to write.
    """

    def __init__(self, model: LanguageModel, kept: Kept) -> None:
        self.name = model.name
        self.fresh = False
        self.written = 0
        self._model, self._kept = model, kept

    async def load(self) -> None:
        """As the model's own."""
        await self._model.load()

    async def close(self) -> None:
        """As the model's own. The file stays open."""
        await self._model.close()

    async def stream(
        self, shared: Sequence[Message], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        """As the model's own; a kept answer comes as one piece, before those that are being written."""
        keys = [self._key(shared, one) for one in continuations]
        missing = []
        for place, key in enumerate(keys):
            if (known := None if self.fresh else self._kept.answer(key)) is None:
                missing.append(place)
            else:
                yield Piece(place, *known)
        if not missing:
            return
        texts = dict.fromkeys(missing, "")
        async with aclosing(self._model.stream(shared, [continuations[place] for place in missing])) as pieces:
            async for piece in pieces:
                place = missing[piece.index]
                texts[place] += piece.text
                if piece.ending is not None:
                    self.written += 1
                    self._kept.keep_answer(keys[place], texts[place], piece.ending, piece.log_likelihood)
                yield replace(piece, index=place)

    def _key(self, shared: Sequence[Message], continuation: Continuation) -> str:
        asked = [[message.role, message.text] for message in (*shared, *continuation.messages)]
        return digest([self.name, asked, asdict(continuation.sampling)])


class KeptReferee:
    """A referee whose values are kept: a text's does not depend on what stands beside it."""

    def __init__(self, name: str, referee: Referee, kept: Kept) -> None:
        self._name, self._referee, self._kept = name, referee, kept

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """As the referee's own."""
        keys = [digest([self._name, text]) for text in texts]
        known = self._kept.nats(keys)
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if fresh:
            new = dict(zip(fresh, self._referee(list(fresh.values())), strict=True))
            self._kept.keep_nats(new)
            known |= new
        return [known[key] for key in keys]


def digest(value: Any) -> str:
    """A key for anything that JSON can say."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:32]
