"""Ingest: what goes in, what is left, what is refused, what vanishes, and what it tells on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowledge.documents import Document
from knowledge.errors import StoreFull
from knowledge.ingest import BATCH, BatchStored, Event, FileRead, FileStarted, Refused, Report, ingest
from knowledge.store import Store
from tests.knowledge import pdfs
from tests.knowledge.fakes import HashEmbedder

HERON = "A heron stands in the mill race every morning at six and leaves when the first lorry passes the gate."
BRIDGE = "The rope bridge at Q'eswachaka is woven anew from grass each June, and the old one is cut into the river."
LANTERN = "Lanterns hang from the wall of the harbour in November, one for each boat that did not come back."


class Library:
    """A store with one collection and an embedder, and ingests into it."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.embedder = HashEmbedder()
        self.collection = self.store.collection("terminal", "notes")
        self.events: list[Event] = []

    def ingest(self, *paths: Path | str) -> Report:
        return ingest(self.store, self.embedder, self.collection, paths, self.events.append)

    def texts(self) -> set[str]:
        return {snippet.text for snippet in self.store.snippets(self.store.ids(self.collection))}

    def addresses(self) -> set[str | None]:
        return {snippet.address for snippet in self.store.snippets(self.store.ids(self.collection))}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "data" / "library.db")
    yield library
    library.store.close()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def numbers(report: Report) -> tuple[int, int, int, int]:
    return report.read, report.added, report.unchanged, report.removed


def test_a_folder_of_every_format(library: Library, notes: Path) -> None:
    (notes / "birds").mkdir()
    (notes / "birds" / "heron.md").write_text(f"# Heron\n\n{HERON}\n")
    (notes / "bridge.txt").write_text(BRIDGE)
    (notes / "records.csv").write_text("title,text\nLantern," + f'"{LANTERN}"\n')
    (notes / "records.jsonl").write_text('{"text": "Gloves for the left hand only.", "source": "https://a.example"}\n')
    (notes / "river.pdf").write_bytes(pdfs.pdf([["Boats of paper are sent down the river with one wish", "each."]]))
    report = library.ingest(notes)
    assert numbers(report) == (5, 5, 0, 0)
    assert report.refused == ()
    assert [file.name for file in report.files] == [
        *("notes/birds/heron.md", "notes/bridge.txt", "notes/records.csv", "notes/records.jsonl", "notes/river.pdf")
    ]
    assert library.addresses() == {
        *("notes/birds/heron.md", "notes/bridge.txt", "notes/records.csv", "https://a.example"),
        "notes/river.pdf, page 1",
    }


def test_the_same_again_adds_nothing_and_embeds_nothing(library: Library, notes: Path) -> None:
    (notes / "a.txt").write_text(f"{HERON}\n\n{BRIDGE}\n")
    library.ingest(notes)
    ids = library.store.ids(library.collection)
    library.embedder.seen.clear()
    assert numbers(library.ingest(notes)) == (2, 0, 2, 0)
    assert numbers(library.ingest(notes / "a.txt", notes)) == (2, 0, 2, 0)
    assert library.embedder.seen == []
    assert library.store.ids(library.collection) == ids
    assert len(library.store.sources(library.collection)) == 1


def test_a_broken_part_is_refused_by_name_and_line_and_the_rest_goes_in(library: Library, notes: Path) -> None:
    (notes / "a.jsonl").write_text(f'{{"text": "{HERON}"}}\n{{"text": \n{{"text": "{BRIDGE}"}}\n')
    (notes / "b.txt").write_bytes(bytes(range(256)) * 10)
    (notes / "c.csv").write_text("colour,size\nblue,small\n")
    (notes / "d.txt").write_text(LANTERN)
    report = library.ingest(notes)
    assert library.texts() == {HERON, BRIDGE, LANTERN}
    assert [str(refused) for refused in report.refused] == [
        "notes/a.jsonl, line 2: is not valid JSON: Expecting value, column 9",
        "notes/b.txt: looks binary: Kindling reads text, Markdown, CSV, JSON, PDF, EPUB, HTML and feeds",
        "notes/c.csv: has no column of text: Kindling looked for text, highlight, quote, quotation, description, note "
        "and the like in its first line and found colour, size",
    ]
    assert [file.complete for file in report.files] == [True, False, False, True]


def test_hidden_files_and_other_formats_are_skipped_and_counted(library: Library, notes: Path) -> None:
    for name in (".hidden.txt", "picture.png", "archive.tar.gz", "README"):
        (notes / name).write_text(HERON)
    (notes / ".git").mkdir()
    (notes / ".git" / "notes.txt").write_text(HERON)
    report = library.ingest(notes)
    assert (numbers(report), report.skipped, report.files) == ((0, 0, 0, 0), 5, ())


def test_a_file_given_by_name_is_read_whatever_it_is_called(library: Library, notes: Path) -> None:
    (notes / ".hidden").write_text(HERON)
    (notes / "README").write_text(BRIDGE)
    assert numbers(library.ingest(notes / ".hidden", notes / "README")) == (2, 2, 0, 0)
    assert library.addresses() == {".hidden", "README"}


def test_paths_that_lead_nowhere_are_refused(library: Library, notes: Path) -> None:
    (notes / "loop").symlink_to(notes / "loop")
    (notes / "deep").mkdir()
    (notes / "deep" / "up").symlink_to(notes)
    (notes / "gone.txt").symlink_to(notes / "nothing.txt")
    (notes / "ok.txt").write_text(HERON)
    os.mkfifo(notes / "pipe.txt")
    report = library.ingest(notes, notes / "missing.txt", "no\0path", notes / "ok.txt" / "below")
    assert set(report.refused) == {
        Refused("notes/deep/up", "", "is a link back to a folder that holds it"),
        Refused("notes/loop", "", "is a link that leads to itself"),
        Refused("notes/gone.txt", "", "does not exist"),
        Refused("notes/pipe.txt", "", "is neither a file nor a folder"),
        Refused("missing.txt", "", "does not exist"),
        Refused("nopath", "", "does not exist"),
        Refused("below", "", "does not exist"),
    }
    assert library.texts() == {HERON}


def test_links_to_folders_are_followed_and_nothing_is_read_twice(library: Library, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text(HERON)
    (notes / "one").symlink_to(tmp_path / "elsewhere")
    (notes / "two").symlink_to(tmp_path / "elsewhere")
    assert [file.name for file in library.ingest(notes).files] == ["notes/one/a.txt"]


def test_folders_nested_deeper_than_python_calls(library: Library, notes: Path) -> None:
    deep = os.open(notes, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=deep)
        deep, above = os.open("d", os.O_RDONLY, dir_fd=deep), deep
        os.close(above)
    os.close(deep)
    (notes / "a.txt").write_text(HERON)
    try:
        assert numbers(library.ingest(notes)) == (1, 1, 0, 0)
    finally:
        subprocess.run(["rm", "-rf", str(notes / "d")], check=True)  # shutil.rmtree may not manage


def test_what_may_not_be_read_is_refused(library: Library, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, whom no permissions stop: so the refusal of the system is played."""
    (notes / "a.txt").write_text(HERON)
    (notes / "shut").mkdir()
    opened, listed = Path.open, Path.iterdir

    def shut_file(self: Path, *rest: object, **more: object) -> object:
        if self.name == "a.txt":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(self, *rest, **more)  # type: ignore[arg-type, call-overload]

    def shut_folder(self: Path) -> object:
        if self.name == "shut":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return listed(self)

    monkeypatch.setattr(Path, "open", shut_file)
    monkeypatch.setattr(Path, "iterdir", shut_folder)
    assert library.ingest(notes).refused == (
        Refused("notes/a.txt", "", "may not be read: check its permissions"),
        Refused("notes/shut", "", "may not be read: check its permissions"),
    )


def test_a_disk_that_fails_while_reading_keeps_what_was_read(
    library: Library, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.readers import text

    def failing(stream: object) -> Iterator[list[str]]:
        yield [HERON]
        yield [BRIDGE]
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (notes / "a.txt").write_text(HERON)
    library.ingest(notes)
    (notes / "a.txt").write_text(BRIDGE)
    monkeypatch.setattr(text, "_chunks", failing)
    report = library.ingest(notes)
    assert report.refused == (Refused("notes/a.txt", "", "cannot be read: Input/output error"),)
    assert report.removed == 0
    assert HERON in library.texts()


# What vanished


def test_what_vanished_from_a_changed_file_goes_and_the_rest_keeps_its_id(library: Library, notes: Path) -> None:
    (notes / "a.txt").write_text(f"{HERON}\n\n{BRIDGE}\n")
    library.ingest(notes)
    (kept,) = (s.id for s in library.store.snippets(library.store.ids(library.collection)) if s.text == HERON)
    (notes / "a.txt").write_text(f"{LANTERN}\n\n{HERON}\n")
    report = library.ingest(notes / "a.txt")
    assert numbers(report) == (2, 1, 1, 1)
    assert report.files[0].removed == 1
    assert library.texts() == {HERON, LANTERN}
    assert library.store.snippets([kept])[0].text == HERON


@pytest.mark.parametrize("first", ["a.txt", "b.txt"])
def test_what_moved_to_another_file_stays(library: Library, notes: Path, first: str) -> None:
    second = "b.txt" if first == "a.txt" else "a.txt"
    (notes / first).write_text(f"{HERON}\n\n{BRIDGE}\n")
    (notes / second).write_text(LANTERN)
    library.ingest(notes)
    (notes / first).write_text(BRIDGE)
    (notes / second).write_text(f"{LANTERN}\n\n{HERON}\n")
    assert numbers(library.ingest(notes)) == (3, 0, 3, 0)
    assert library.texts() == {HERON, BRIDGE, LANTERN}


@pytest.mark.parametrize("content", [b"", b"\0\1\2\3\4\5\6", b"\n\n"])
def test_an_empty_or_broken_file_lets_nothing_go(library: Library, notes: Path, content: bytes) -> None:
    (notes / "a.txt").write_text(HERON)
    library.ingest(notes)
    (notes / "a.txt").write_bytes(content)
    assert library.ingest(notes).removed == 0
    (notes / "a.txt").unlink()
    assert library.ingest(notes).removed == 0
    assert library.texts() == {HERON}


def test_lines_that_are_all_refused_let_nothing_go(library: Library, notes: Path) -> None:
    (notes / "a.jsonl").write_text(f'{{"text": "{HERON}"}}\n')
    library.ingest(notes)
    (notes / "a.jsonl").write_text(f'{{"text": "{HERON}"\n')
    assert numbers(library.ingest(notes)) == (0, 0, 0, 0)
    assert library.texts() == {HERON}


def test_two_files_of_one_name_are_two_sources(library: Library, notes: Path) -> None:
    for folder, text in (("a", HERON), ("b", BRIDGE)):
        (notes / folder).mkdir()
        (notes / folder / "notes.txt").write_text(text)
        library.ingest(notes / folder / "notes.txt")
    assert library.texts() == {HERON, BRIDGE}
    assert len(library.store.sources(library.collection)) == 2


def test_collections_do_not_touch_one_another(library: Library, notes: Path) -> None:
    (notes / "a.txt").write_text(HERON)
    library.ingest(notes)
    other = library.store.collection("guild:1", "notes")
    (notes / "a.txt").write_text(BRIDGE)
    ingest(library.store, library.embedder, other, [notes])
    assert library.texts() == {HERON}
    assert library.store.count(other) == 1


# What it shows and tells


def test_nothing_that_is_kept_says_where_on_the_disk_a_file_is(library: Library, notes: Path) -> None:
    (notes / "a.txt").write_text(HERON)
    (notes / "b.txt").write_text(BRIDGE)
    report = library.ingest(notes, notes / "b.txt")
    (source, other) = library.store.sources(library.collection)
    shown = f"{report} {source} {other} {library.addresses()} {library.events}"
    assert str(notes) not in shown
    assert str(notes.parent.name) not in shown
    assert source.address != Document(notes.parent / "a.txt", "a.txt").address


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
def test_names_are_shown_without_control_characters(library: Library, notes: Path) -> None:
    Path(os.fsdecode(os.fsencode(notes) + b"/bi\xffrd\n\x1b[31ms.txt")).write_text(HERON)
    assert [file.name for file in library.ingest(notes).files] == ["notes/bird [31ms.txt"]


def test_events_tell_of_each_file_and_of_each_batch_once_it_is_stored(library: Library, notes: Path) -> None:
    lines = BATCH + 3
    (notes / "a.csv").write_text("text\n" + "".join(f"Note number {word} of many.\n" for word in range(lines)))
    (notes / "b.txt").write_text(HERON)
    stored: list[int] = []

    def watch(event: Event) -> None:
        library.events.append(event)
        if isinstance(event, BatchStored):
            stored.append(library.store.count(library.collection))

    report = ingest(library.store, library.embedder, library.collection, [notes], watch)
    assert stored == [BATCH, lines, lines + 1]
    assert library.events == [
        FileStarted("notes/a.csv"),
        BatchStored("notes/a.csv", BATCH, 0),
        BatchStored("notes/a.csv", lines, 0),
        FileRead(report.files[0]),
        FileStarted("notes/b.txt"),
        BatchStored("notes/b.txt", lines + 1, 0),
        FileRead(report.files[1]),
    ]


def test_progress_may_stop_an_ingest_and_the_same_ingest_goes_on(library: Library, notes: Path) -> None:
    (notes / "a.csv").write_text("text\n" + "".join(f"Note number {word} of many.\n" for word in range(3 * BATCH)))

    class Cancelled(Exception):
        pass

    def cancel(event: Event) -> None:
        if isinstance(event, BatchStored):
            raise Cancelled

    with pytest.raises(Cancelled):
        ingest(library.store, library.embedder, library.collection, [notes], cancel)
    assert library.store.count(library.collection) == BATCH
    assert numbers(library.ingest(notes)) == (3 * BATCH, 2 * BATCH, BATCH, 0)


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 700 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_stored_and_the_same_ingest_goes_on(small_disk: Path, notes: Path) -> None:
    rows = [f"Note number {number} of many that together fill the disk." for number in range(2000)]
    (notes / "a.csv").write_text("text\n" + "\n".join(rows))
    library = Library(small_disk / "library.db")
    with pytest.raises(StoreFull, match="no room left"):
        library.ingest(notes)
    told = max(event.added for event in library.events if isinstance(event, BatchStored))
    assert 0 < told < len(rows)
    assert library.store.count(library.collection) == told
    library.store.close()

    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    library = Library(small_disk / "library.db")
    assert library.store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert numbers(library.ingest(notes)) == (len(rows), len(rows) - told, told, 0)
    library.store.close()
