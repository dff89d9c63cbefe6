"""The snippets of a store by their words: SQLite's full text (FTS5), asked so that it answers fast at any size.

It reads, and knows neither vectors nor how a store is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from knowledge.fulltext import MARK, any_of, content_words, longest_marked, match_expression
from knowledge.rows import Rows, as_json, conditions
from knowledge.types import Collection, Filters

MOST_MATCHES = 500  # snippets that a search ranks: some milliseconds
RANKED_WHOLE = 3_000  # snippets in a file: up to so many, ranking all of them is quicker than counting first

# A word in the title weighs twice one in the text or topics.
_MATCHING = (
    "SELECT s.id, -bm25(snippets_fts, 2.0, 1.0, 1.0) AS score FROM snippets_fts"
    " JOIN snippets AS s ON s.id = snippets_fts.rowid WHERE snippets_fts MATCH ? AND "
)
_MATCHES_UP_TO = "SELECT count(*) FROM (SELECT 1 FROM snippets_fts WHERE snippets_fts MATCH ? LIMIT ?)"

# A handful of snippets in a table of their own: to ask the large one about them takes as long as the whole search.
_SHARED_TABLE = """
    CREATE VIRTUAL TABLE IF NOT EXISTS temp.told USING fts5 (
        title, text, topics, tokenize = "porter unicode61 remove_diacritics 2"
    )
"""
_SHARED_ROWS = """
    INSERT INTO temp.told (rowid, title, text, topics)
    SELECT id, title, text, topics FROM snippets WHERE id IN (SELECT value FROM json_each(?))
"""
_SHARED_WORDS = f"""
    SELECT rowid, highlight(told, 0, '{MARK}', '{MARK}'), highlight(told, 1, '{MARK}', '{MARK}'),
    highlight(told, 2, '{MARK}', '{MARK}') FROM temp.told WHERE told MATCH ? ORDER BY rowid
"""  # noqa: S608 (constants)


class Wording:
    """Which snippets of a store share words with a text."""

    def __init__(self, rows: Callable[[str, Sequence[object]], Rows]) -> None:
        """`rows` runs a statement with its values on the store's connection, and gives what came of it."""
        self._rows = rows

    def search(
        self, collections: Iterable[Collection], query: str, limit: int, filters: Filters
    ) -> list[tuple[int, float]]:
        """See Store.search."""
        expression = self._telling(query)
        if expression is None:
            return []
        condition, values = conditions(collections, filters)
        rows = self._rows(
            _MATCHING + condition + " ORDER BY score DESC, s.id LIMIT ?",
            (expression, *values, limit),
        )
        return [(snippet_id, score) for snippet_id, score in rows]

    def shared(self, ids: Iterable[int], query: str) -> dict[int, str]:
        """See Store.shared_words."""
        expression = match_expression(query)
        if expression is None:
            return {}
        self._rows(_SHARED_TABLE, ())
        self._rows("SAVEPOINT told", ())  # to undo the insertion takes a tenth of deleting the rows
        try:
            self._rows(_SHARED_ROWS, (as_json(ids),))
            rows = self._rows(_SHARED_WORDS, (expression,))
        finally:
            self._rows("ROLLBACK TO told", ())
            self._rows("RELEASE told", ())
        return {snippet_id: longest_marked("\n".join(columns)) for snippet_id, *columns in rows}

    def _telling(self, query: str) -> str | None:
        """A query for the rarest words of a text, as many as match few enough; for all at once where each is common.

        In a small library for any of the words.
        """
        words = content_words(query)
        if len(words) < 2 or self._rows("SELECT ifnull(max(id), 0) FROM snippets", ())[0][0] <= RANKED_WHOLE:
            return any_of(words)
        counts = {word: self._rows(_MATCHES_UP_TO, (f'"{word}"', MOST_MATCHES))[0][0] for word in words}
        left, rare = MOST_MATCHES, []
        for word in sorted(words, key=lambda word: counts[word]):
            left -= counts[word]
            if left <= 0:
                break
            rare.append(word)
        if any(counts[word] for word in rare):
            return any_of(rare)
        return any_of([word for word in words if counts[word]] or words, "AND")
