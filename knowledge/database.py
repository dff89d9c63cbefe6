"""Opening the one SQLite file and translating what goes wrong with it. It knows nothing of what the tables mean.

The file is kept in write-ahead mode so that readers and one writer, in this process or another, do not wait for each
other. `synchronous` is FULL: with NORMAL a SIGKILL loses nothing but a power cut may lose the last commits. Kindling
commits in batches, so the one fsync per commit that FULL costs is paid seldom, and what was reported as added is there
in both cases. `secure_delete` overwrites deleted rows: a post that was taken back shall not live on in free pages.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from knowledge.errors import StoreBusy, StoreError, StoreFull

BUSY_SECONDS = 10.0
_SCARCE_BYTES = 256 * 1024  # below this much free space, a failed write is put down to the full disk


def open_database(path: Path, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Open or create the SQLite file at `path`, its folder included.

    The connection belongs to the calling thread. It waits `busy_seconds` for a lock before StoreBusy.

    Raises:
        StoreError: no folder, no permission, or no SQLite file. StoreBusy, StoreFull: as their names say.
    """
    _make_folder(path)
    with translated_errors(path):
        # isolation_level=None: transactions begin where we say so, never behind our back.
        connection = sqlite3.connect(str(path), timeout=busy_seconds, isolation_level=None)
        try:
            _use_write_ahead_log(connection, busy_seconds)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            return Database(connection, execute_plugins=False)
        except BaseException:
            connection.close()
            raise


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All or nothing. Takes the write lock at once, so that what was read inside cannot change before the commit.

    Inside another transaction it is a savepoint of that one.
    """
    if db.conn.in_transaction:
        with db.atomic():
            yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turn sqlite3's errors about the file at `path` into StoreError and its kin.

    Broken constraints and wrong use of sqlite3 pass through: those are faults of ours, not of the disk.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(path) from error
        raise StoreError(f"cannot use {path}: {error.strerror or error}; choose another data folder") from error


def _translated(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code, the rest is detail
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"another process is writing to {path}; wait for it to finish, then try again")
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    # In write-ahead mode a full disk may also show as a failed read, write or growth of the shared-memory file.
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _free_bytes(path) < _SCARCE_BYTES:
        return _full(path)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"{path} is damaged or no Kindling library; move it away or restore a copy of it")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return StoreError(f"cannot write to {path}; check its permissions or choose another data folder")
    return StoreError(f"cannot use {path}: {error}; check the disk or choose another data folder")


def _full(path: Path) -> StoreFull:
    return StoreFull(f"no room left on the disk of {path}; free some space, then do the same again")


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return _SCARCE_BYTES


def _use_write_ahead_log(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to write-ahead mode unless it is on. SQLite does not wait for locks in that switch, so this does."""
    give_up = time.monotonic() + busy_seconds
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.02)
