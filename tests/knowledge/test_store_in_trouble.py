"""The store in trouble: files that are none, full disks, locks, kills. What was reported as added stays."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from knowledge.database import open_database
from knowledge.errors import StoreBusy, StoreError, StoreFull, StoreTooNew
from knowledge.migrations import apply_migrations
from knowledge.store import Store
from knowledge.types import Collection
from tests.knowledge.fakes import DRAFTS, add, draft


def one_line(error: pytest.ExceptionInfo[StoreError]) -> str:
    said = str(error.value)
    assert "\n" not in said
    return said


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk. " * 1000)
    with pytest.raises(StoreError) as error:
        Store(path)
    assert "notes.txt is damaged or no Kindling library" in one_line(error)
    assert path.read_text().startswith("Buy milk.")


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    with Store(path) as store:
        collection = store.collection("t", "c")
        add(store, collection, [draft(f"text {i} " * 50) for i in range(200)])
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(StoreError) as error, Store(path) as store:
        store.collections()
    assert "damaged" in one_line(error)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error:
        Store(tmp_path / "file" / "k.db")
    assert "choose another data folder" in one_line(error)


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    with Store(path) as store:
        future = Migrations("knowledge")
        future(name="m999_telepathy")(lambda db: db.execute("CREATE TABLE minds (id INTEGER)") and None)
        future.apply(store.db)
    with pytest.raises(StoreTooNew) as error:
        Store(path)
    assert "m999_telepathy" in one_line(error)
    assert "update Kindling" in str(error.value)


def test_another_set_of_migrations_lives_in_the_same_file(tmp_path: Path) -> None:
    journal = Migrations("journal")
    ran: list[str] = []

    @journal()
    def m001(db: object) -> None:
        ran.append("m001")

    with Store(tmp_path / "k.db") as store:
        apply_migrations(store.db, journal)
        apply_migrations(store.db, journal)
        assert ran == ["m001"]

        @journal()
        def m002(db: object) -> None:
            raise RuntimeError("half-way")

        with pytest.raises(RuntimeError, match="half-way"):
            apply_migrations(store.db, journal)
        assert [step.name for step in journal.applied(store.db)] == ["m001"]
        with pytest.raises(StoreTooNew):
            apply_migrations(store.db, Migrations("journal"))
    with Store(tmp_path / "k.db"):
        pass


def test_a_transaction_is_all_or_nothing(store: Store, collection: Collection) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        add(store, collection, DRAFTS)
        raise RuntimeError
    assert store.count(collection) == 0
    with store.transaction():
        add(store, collection, DRAFTS[:1])
        with pytest.raises(RuntimeError), store.transaction():
            add(store, collection, DRAFTS[1:])
            raise RuntimeError
    assert store.count(collection) == 1


def test_an_error_of_its_user_passes_through_a_transaction(store: Store) -> None:
    with pytest.raises(FileNotFoundError), store.transaction():
        raise FileNotFoundError("something else altogether")


def test_a_lock_held_too_long(tmp_path: Path) -> None:
    with Store(tmp_path / "k.db") as one, Store(tmp_path / "k.db", busy_seconds=0.05) as other:
        collection = one.collection("t", "c")
        with one.transaction():
            assert other.count(collection) == 0  # reading goes on
            with pytest.raises(StoreBusy) as error:
                add(other, collection, DRAFTS)
        assert "try again" in one_line(error)
        assert len(add(other, collection, DRAFTS)) == 4


def test_a_disk_that_fills_up(store: Store, collection: Collection) -> None:
    kept = add(store, collection, DRAFTS)
    store.db.execute("PRAGMA max_page_count = 40")
    with pytest.raises(StoreFull) as error:
        add(store, collection, [draft(f"{i} " * 4000) for i in range(40)])
    assert "free some space" in one_line(error)
    assert store.ids(collection) == kept
    store.remove(kept)
    assert store.count(collection) == 0


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs mounted on `folder`, where this process may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no right to mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_that_is_really_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk, Store(disk / "k.db") as store:
        collection = store.collection("t", "c")
        kept = add(store, collection, DRAFTS)
        with pytest.raises(StoreFull) as error:
            for i in range(100):
                add(store, collection, [draft(f"{i} {random.Random(i).randbytes(40_000).hex()}")])
        assert "free some space" in one_line(error)
        assert store.ids(collection)[:4] == kept
        store.db.execute("INSERT INTO snippets_fts (snippets_fts) VALUES ('integrity-check')")


def test_a_disk_with_no_room_to_begin(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "filler").write_bytes(b"x" * 60_000)
        with pytest.raises(StoreFull):
            Store(disk / "k.db")


WRITER = """
import sys
from pathlib import Path
import numpy as np
from knowledge.store import Store
from knowledge.types import Draft
path, who, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store(path) as store:
    collection = store.collection("t", "c")
    source = store.source(collection, "file", who, who)
    for i in range(count):
        drafts = [Draft("", f"shared {i}"), Draft("", f"{who} {i}")]
        added = store.add(source, drafts, np.eye(2, 8, dtype=np.float32), "e")
        print(*added.ids, flush=True)
"""


def writer(path: Path, who: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), who, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "k.db"
    processes = [writer(path, who, 60) for who in ("one", "two")]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    with Store(path) as store:
        collection = store.collection("t", "c")
        texts = [snippet.text for snippet in store.snippets(store.ids(collection))]
        expected = [f"{who} {i}" for who in ("one", "two", "shared") for i in range(60)]
        assert sorted(texts) == sorted(expected)
        reported = [int(i) for output in outputs for i in output.split()]
        assert sorted(reported) == store.ids(collection)
        assert len(store.sources(collection)) == 2


def test_what_was_reported_as_added_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    reported: list[int] = []
    for attempt in range(4):
        process = writer(path, f"attempt {attempt}", 10_000)
        assert process.stdout is not None
        for _ in range(random.Random(attempt).randrange(3, 60)):
            reported += [int(i) for i in process.stdout.readline().split()]
        process.kill()
        reported += [int(i) for i in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        with Store(path) as store:
            collection = store.collection("t", "c")
            assert set(reported) <= set(store.ids(collection))
            assert store.vector_ids(collection, "e").tolist() == store.ids(collection)
            store.db.execute("INSERT INTO snippets_fts (snippets_fts) VALUES ('integrity-check')")


def test_a_database_is_opened_in_write_ahead_mode_and_outside_a_transaction(tmp_path: Path) -> None:
    db = open_database(tmp_path / "k.db")
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert not db.conn.in_transaction
    db.close()
