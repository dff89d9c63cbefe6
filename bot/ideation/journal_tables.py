"""The journal's tables: sessions and ideas with their sparks, parents and sources, and what people did with ideas."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

SCHEMA = Migrations("journal")


@SCHEMA(name="0001_sessions_and_ideas")
def _sessions_and_ideas(db: Database) -> None:
    for statement in (
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY, space TEXT NOT NULL, brief TEXT NOT NULL, audience TEXT, tone TEXT,
            seed INTEGER NOT NULL, model TEXT NOT NULL, created_at TEXT NOT NULL)""",
        "CREATE INDEX sessions_by_space ON sessions (space, created_at)",
        """CREATE TABLE ideas (
            id TEXT PRIMARY KEY, session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            place INTEGER NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, first_step TEXT NOT NULL,
            technique TEXT NOT NULL, move TEXT NOT NULL, how TEXT, model TEXT NOT NULL, prompt_hash TEXT NOT NULL,
            seed INTEGER NOT NULL, temperature REAL NOT NULL, created_at TEXT NOT NULL, seconds REAL NOT NULL,
            grounded INTEGER NOT NULL, embedder TEXT NOT NULL, vector BLOB NOT NULL)""",
        "CREATE INDEX ideas_by_session ON ideas (session_id, place)",
        """CREATE TABLE idea_sparks (
            idea_id TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE, place INTEGER NOT NULL,
            snippet_id INTEGER NOT NULL, score REAL NOT NULL, similarity REAL NOT NULL, band TEXT NOT NULL,
            why TEXT NOT NULL, PRIMARY KEY (idea_id, place))""",
        """CREATE TABLE idea_parents (
            idea_id TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE, place INTEGER NOT NULL,
            parent_id TEXT NOT NULL, PRIMARY KEY (idea_id, place))""",
        """CREATE TABLE keeps (
            idea_id TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE, person TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (idea_id, person))""",
        """CREATE TABLE votes (
            idea_id TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE, person TEXT NOT NULL,
            value INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (idea_id, person))""",
    ):
        db.execute(statement)


@SCHEMA(name="0002_idea_sources")
def _idea_sources(db: Database) -> None:
    """The sources that an idea comes from, its parents' included: they are known after their snippets are gone."""
    for statement in (
        """CREATE TABLE idea_sources (
            idea_id TEXT NOT NULL REFERENCES ideas (id) ON DELETE CASCADE, source_id INTEGER NOT NULL,
            PRIMARY KEY (idea_id, source_id)) WITHOUT ROWID""",
        "CREATE INDEX idea_sources_by_source ON idea_sources (source_id)",
        "INSERT INTO idea_sources SELECT DISTINCT k.idea_id, n.source_id FROM idea_sparks k "
        "JOIN snippets n ON n.id = k.snippet_id",
    ):
        db.execute(statement)
