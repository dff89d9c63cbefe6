"""The schema of the library, as numbered steps that are only ever appended to.

A released step is never edited: the next change is the next step. Another package may keep tables of its own in the
same file, with a set of its own (`Migrations("journal")`), and apply it through `apply_migrations`.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from knowledge.database import transaction
from knowledge.errors import StoreTooNew

knowledge = Migrations("knowledge")


def apply_migrations(db: Database, migrations: Migrations) -> None:
    """Bring `db` up to date with `migrations`, in one transaction. Nothing is written when nothing is pending.

    Raises:
        StoreTooNew: the file has had a step of this set that this version does not know.
    """
    if _pending(db, migrations):
        with transaction(db):
            # Asked again under the lock: another process may have applied them meanwhile.
            if _pending(db, migrations):
                migrations.apply(db)


def _pending(db: Database, migrations: Migrations) -> bool:
    """Whether steps of this set are still to be applied. Raises StoreTooNew."""
    applied = [step.name for step in migrations.applied(db)]
    known = [step.name for step in migrations._migrations]  # sqlite-utils has no public list of the known steps
    unknown = [name for name in applied if name not in known]
    if unknown:
        raise StoreTooNew(
            f"the library was made by a newer Kindling ({migrations.name} step {unknown[-1]}); "
            "update Kindling or choose another data folder"
        )
    return len(applied) < len(known)


@knowledge()
def m001_library(db: Database) -> None:
    """Collections, sources, snippets and their vectors.

    Ids are AUTOINCREMENT: never given twice, so that an index or a journal that still holds the id of a deleted
    snippet finds nothing instead of something else.
    """
    for statement in (
        """
        CREATE TABLE collections (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            space TEXT NOT NULL,
            name TEXT NOT NULL,
            key TEXT NOT NULL UNIQUE,            -- random: names the index files, which outlive a deleted database
            revision INTEGER NOT NULL DEFAULT 0, -- grows with every change to its snippets or vectors
            UNIQUE (space, name)
        )
        """,
        """
        CREATE TABLE sources (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            address TEXT NOT NULL,
            title TEXT NOT NULL,
            added_at TEXT NOT NULL,
            UNIQUE (collection_id, kind, address)
        )
        """,
        """
        CREATE TABLE snippets (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
            content_hash TEXT NOT NULL,
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            kind TEXT NOT NULL,
            topics TEXT NOT NULL,                -- a JSON array, in the order given
            date TEXT,
            author TEXT,
            address TEXT,
            licence TEXT,
            UNIQUE (collection_id, content_hash)
        )
        """,
        "CREATE INDEX snippets_by_collection ON snippets (collection_id)",
        "CREATE INDEX snippets_by_source ON snippets (source_id)",
        """
        CREATE TABLE vectors (
            snippet_id INTEGER PRIMARY KEY REFERENCES snippets (id) ON DELETE CASCADE,
            embedder TEXT NOT NULL,
            vector BLOB NOT NULL                 -- float32, little-endian, of length 1
        )
        """,
    ):
        db.execute(statement)


@knowledge()
def m002_full_text(db: Database) -> None:
    """Full text over title, text and topics, and topics one a row for filters. Triggers keep both true."""
    for statement in (
        """
        CREATE VIRTUAL TABLE snippets_fts USING fts5 (
            title, text, topics,
            content = 'snippets', content_rowid = 'id', tokenize = "porter unicode61 remove_diacritics 2"
        )
        """,
        """
        CREATE TABLE snippet_topics (
            topic TEXT NOT NULL COLLATE NOCASE,
            snippet_id INTEGER NOT NULL REFERENCES snippets (id) ON DELETE CASCADE,
            PRIMARY KEY (topic, snippet_id)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX snippet_topics_by_snippet ON snippet_topics (snippet_id)",
        """
        CREATE TRIGGER snippets_after_insert AFTER INSERT ON snippets BEGIN
            INSERT INTO snippets_fts (rowid, title, text, topics) VALUES (new.id, new.title, new.text, new.topics);
            INSERT OR IGNORE INTO snippet_topics (topic, snippet_id) SELECT value, new.id FROM json_each(new.topics);
        END
        """,
        """
        CREATE TRIGGER snippets_after_delete AFTER DELETE ON snippets BEGIN
            INSERT INTO snippets_fts (snippets_fts, rowid, title, text, topics)
            VALUES ('delete', old.id, old.title, old.text, old.topics);
        END
        """,
        """
        CREATE TRIGGER snippets_never_change BEFORE UPDATE ON snippets BEGIN
            SELECT raise(ABORT, 'a snippet never changes: remove it and add another');
        END
        """,
    ):
        db.execute(statement)


@knowledge()
def m003_source_digests(db: Database) -> None:
    """What of a source was last taken in whole, so that the same need not be read again."""
    db.execute("ALTER TABLE sources ADD COLUMN digest TEXT")


@knowledge()
def m004_sources_on_the_web(db: Database) -> None:
    """What lives at an address: how its fetches went, and the entries it has brought."""
    for statement in (
        """
        CREATE TABLE fetches (                    -- times are ISO 8601, UTC, to the second
            source_id INTEGER PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
            etag TEXT,
            last_modified TEXT,
            tried_at TEXT,
            fetched_at TEXT,                      -- the last time it could be had, changed or not
            due_at TEXT,                          -- NULL: not again by itself
            added INTEGER NOT NULL DEFAULT 0,     -- snippets, by the last fetch that found it changed
            failures INTEGER NOT NULL DEFAULT 0,  -- in a row
            error TEXT
        )
        """,
        "CREATE INDEX fetches_by_due ON fetches (due_at)",
        """
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY,
            source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
            key TEXT NOT NULL,                    -- of its canonical address, or the id that its feed gives it
            digest TEXT NOT NULL,                 -- of all it says
            first INTEGER REFERENCES snippets (id) ON DELETE CASCADE,  -- that says the same; then it has none itself
            UNIQUE (source_id, key)
        )
        """,
        "CREATE INDEX entries_by_key ON entries (key)",
        "CREATE INDEX entries_by_first ON entries (first)",
        """
        CREATE TABLE entry_snippets (
            snippet_id INTEGER PRIMARY KEY REFERENCES snippets (id) ON DELETE CASCADE,
            entry_id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE
        )
        """,
        "CREATE INDEX entry_snippets_by_entry ON entry_snippets (entry_id)",
        # An entry goes when the one it had joined goes. It is then wanted again, so its feed must be read again whole.
        """
        CREATE TRIGGER entries_after_delete AFTER DELETE ON entries BEGIN
            UPDATE fetches SET etag = NULL, last_modified = NULL WHERE source_id = old.source_id;
        END
        """,
    ):
        db.execute(statement)
