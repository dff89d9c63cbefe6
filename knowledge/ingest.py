"""From paths to the library: read documents, keep what is new, let go of what left a file, and report.

A file is one source. Its snippets are embedded and stored in small batches, a transaction each, so what was reported as
stored is there whatever happens next, and the same ingest, run again, goes on where it was killed: what the collection
holds already is neither embedded nor added a second time.

A file that changed: what is new in it is added, and what vanished from it goes, because a passage that its author took
out shall not come back in an idea. Only a file that was read to its end lets anything go, and only after all were read,
when it is known that no other of them holds the passage: people move text between files. A file that is empty, broken
or deleted lets nothing go; `Store.remove_source` is for that. Where only the particulars of a snippet changed (topics,
date, address) and not its title or text, it stays as it is.

It knows nothing of formats or indexes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from knowledge import readers
from knowledge.documents import Document, Skipped, Unreadable, find_documents, reason
from knowledge.embedder import Embedder
from knowledge.embedding import add_drafts
from knowledge.errors import ReadError
from knowledge.readers import Listed, Refusal
from knowledge.rows import content_hash
from knowledge.store import Store
from knowledge.types import Collection, Draft, Source

BATCH = 64  # drafts read, embedded and stored together: about a second's work, and the most that a kill can cost
SOURCE_KIND = "file"


@dataclass(frozen=True, slots=True)
class Refused:
    """A file, or a part of one, that was not taken in.

    name: the file's; where: the part ("line 12", "page 3"), empty for the whole file; why: one line, to be read after
    the other two ("birds.csv, line 12: opens a quote that is not closed").
    """

    name: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}, {self.where}: {self.why}" if self.where else f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    read: snippets found in it; added and unchanged: those that the collection lacked and held; removed: those that it
    had from this file before and that vanished from it; refused: what could not be read; complete: whether it was read
    to its end; listed: the feeds it names, which are for whoever asked to follow.
    """

    name: str
    read: int = 0
    added: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: tuple[Refused, ...] = ()
    complete: bool = False
    listed: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an ingest. skipped: hidden files and folders, and files of other formats, in the folders given."""

    files: tuple[FileReport, ...] = ()
    skipped: int = 0

    @property
    def read(self) -> int:
        """How many snippets were found."""
        return sum(file.read for file in self.files)

    @property
    def added(self) -> int:
        """How many of them are new."""
        return sum(file.added for file in self.files)

    @property
    def unchanged(self) -> int:
        """How many of them the collection held already."""
        return sum(file.unchanged for file in self.files)

    @property
    def removed(self) -> int:
        """How many snippets went because they vanished from their file."""
        return sum(file.removed for file in self.files)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Everything that could not be read."""
        return tuple(refused for file in self.files for refused in file.refused)

    @property
    def listed(self) -> tuple[Listed, ...]:
        """The feeds that the files name, each once."""
        return tuple({one.address: one for file in self.files for one in file.listed}.values())


@dataclass(frozen=True, slots=True)
class FileStarted:
    """A file is about to be read."""

    name: str


@dataclass(frozen=True, slots=True)
class BatchStored:
    """A batch is in the store for good. The numbers are those of the whole ingest so far."""

    name: str
    added: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file is done with, but for what may have vanished from it."""

    report: FileReport


Event = FileStarted | BatchStored | FileRead
Progress = Callable[[Event], None]


def ingest(
    store: Store,
    embedder: Embedder,
    collection: Collection,
    paths: Iterable[str | Path],
    progress: Progress | None = None,
) -> Report:
    """Take the documents that `paths` mean, files or folders, into `collection`.

    Nothing that is wrong with a path or a document raises: it is in the report, and the rest goes in. An exception that
    `progress` raises stops the ingest and passes through: a way to cancel it, at the cost of nothing that was stored.

    Raises:
        StoreFull, StoreBusy, StoreError: the library cannot be written. EmbedderError: not enough memory. In each case
            what BatchStored told of is kept, and the same call completes the work later.
    """
    run = _Run(store, embedder, collection, progress or (lambda event: None))
    for found in find_documents(paths):
        run.take(found)
    run.let_go()
    return Report(tuple(run.files), run.skipped)


class _Run:
    """One ingest under way."""

    def __init__(self, store: Store, embedder: Embedder, collection: Collection, progress: Progress) -> None:
        self.files: list[FileReport] = []
        self.skipped = 0
        self._store = store
        self._embedder = embedder
        self._collection = collection
        self._progress = progress
        self._met: set[str] = set()  # content hashes of all drafts: about 100 bytes each
        self._read_to_end: list[tuple[int, Source]] = []  # the file's place in `files`, and its source
        self._sources: dict[str, Source] = {}  # by address
        self._added = self._unchanged = 0

    def take(self, found: Document | Unreadable | Skipped) -> None:
        if isinstance(found, Skipped):
            self.skipped += 1
            return
        self._progress(FileStarted(found.name))
        if isinstance(found, Unreadable):
            report = FileReport(found.name, refused=(Refused(found.name, "", found.why),))
        else:
            report = self._read(found)
        self.files.append(report)
        self._progress(FileRead(report))

    def let_go(self) -> None:
        """Remove what vanished from the files that were read to their end and stands in none of this ingest's."""
        for place, source in self._read_to_end:
            vanished = [number for number, digest in _contents(self._store, source) if digest not in self._met]
            if vanished:
                removed = self._store.remove(vanished)
                self.files[place] = replace(self.files[place], removed=removed)

    def _read(self, document: Document) -> FileReport:
        refused: list[Refused] = []
        listed: list[Listed] = []
        read = added = 0
        with closing(_items(document)) as items:
            while batch := list(islice(items, BATCH)):
                refused += (item for item in batch if isinstance(item, Refused))
                listed += (item for item in batch if isinstance(item, Listed))
                if drafts := [item for item in batch if isinstance(item, Draft)]:
                    read += len(drafts)
                    added += self._keep(document, drafts)
        complete = all(refusal.where for refusal in refused)
        if complete and read:
            self._read_to_end.append((len(self.files), self._source(document)))
        return FileReport(
            document.name, read, added, read - added, refused=tuple(refused), complete=complete, listed=tuple(listed)
        )

    def _keep(self, document: Document, drafts: list[Draft]) -> int:
        self._met.update(map(content_hash, drafts))
        done = add_drafts(self._store, self._embedder, self._source(document), drafts)
        self._added += len(done.ids)
        self._unchanged += done.unchanged
        self._progress(BatchStored(document.name, self._added, self._unchanged))
        return len(done.ids)

    def _source(self, document: Document) -> Source:
        """The document's source, found once: if somebody removes it meanwhile, it is not to come back."""
        found = self._sources.get(document.address)
        if found is None:
            found = self._store.source(self._collection, SOURCE_KIND, document.address, document.name)
            self._sources[document.address] = found
        return found


def _items(document: Document) -> Generator[Draft | Refused | Listed, None, None]:
    """What the document holds, addressed, and what could not be read of it; never raises for what is wrong with it."""
    name = document.name
    try:
        with document.path.open("rb") as stream:
            for item in readers.read(stream, name):
                if isinstance(item, Refusal):
                    yield Refused(name, item.where, item.why)
                elif isinstance(item, Listed):
                    yield item
                else:
                    yield replace(item, address=item.address or name)
    except ReadError as error:
        yield Refused(name, "", str(error))
    except OSError as error:
        yield Refused(name, "", reason(error))


def _contents(store: Store, source: Source) -> list[tuple[int, str]]:
    """The ids and content hashes of a source's snippets."""
    with store.transaction():
        rows = store.db.execute("SELECT id, content_hash FROM snippets WHERE source_id = ?", (source.id,))
        return [(int(number), str(digest)) for number, digest in rows]
