"""Kills, and two at once: whatever happens to an ingest, the library is whole, and the same ingest completes it."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.ingest import BATCH, Report
from knowledge.store import Store
from tests.knowledge import ingesting
from tests.knowledge.ingesting import EMBEDDER, collection_of, index_of, ingest_folder

KILLS = 20
LINES = 5 * BATCH  # of the table, the longest of the files: so many batches and a few more

# Forked from a server that has all modules loaded and has run nothing: starting such a process takes milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([ingesting.__name__, "faiss", "markdown_it"])


@dataclass(frozen=True)
class Scene:
    """A folder that has changed since it was ingested, and what another ingest of it should make of the library."""

    notes: Path
    before: Path  # the data folder with the library as it was
    after: list[tuple[Any, ...]]  # what it should hold in the end
    added: list[str]  # the texts that come in, in order
    batches: int


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("crash")
    notes, before, undisturbed = folder / "notes", folder / "before", folder / "undisturbed"
    notes.mkdir()
    before.mkdir()
    old = [f"Old note number {number} tells of a lamp in window {number % 7}." for number in range(60)]
    (notes / "old.txt").write_text("\n\n".join(old))
    ingest_folder(before, notes)
    (notes / "old.txt").write_text("\n\n".join(old[::2]))
    (notes / "birds.md").write_text("\n\n".join(f"## Bird {n}\n\nBird {n} sings of {n * n} rivers." for n in range(40)))
    (notes / "table.csv").write_text("text\n" + "".join(f"Row {n} of the table of tides.\n" for n in range(LINES)))
    shutil.copytree(before, undisturbed)
    report = ingest_folder(undisturbed, notes)
    assert (report.added, report.unchanged, report.removed) == (40 + LINES, 30, 30)
    with Store(undisturbed / "library.db") as store:
        added = [text for _, text, *_ in contents(store)][30:]
        return Scene(notes, before, sorted(contents(store)), added, batches=LINES // BATCH + 2)


def contents(store: Store) -> list[tuple[Any, ...]]:
    """All that the library holds, but for ids, in the order in which it came."""
    collection = collection_of(store)
    snippets = store.snippets(store.ids(collection))
    sources = {source.id: source.address for source in store.sources(collection)}
    _, vectors = store.vectors(collection, EMBEDDER.name)
    return [
        (snippet.title, snippet.text, snippet.kind, snippet.address, sources[snippet.source_id], vector.tobytes())
        for snippet, vector in zip(snippets, vectors, strict=True)
    ]


def assert_whole(data: Path) -> None:
    """The file is sound, full text and index agree with the snippets."""
    with Store(data / "library.db") as store:
        assert store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []
        store.db.execute("INSERT INTO snippets_fts (snippets_fts, rank) VALUES ('integrity-check', 1)")
        collection = collection_of(store)
        ids, vectors = store.vectors(collection, EMBEDDER.name)
        assert ids.tolist() == store.ids(collection)
        index = index_of(store, data)
        assert index.ids.tolist() == ids.tolist()
        for place in {0, len(ids) // 2, len(ids) - 1}:
            found, cosines = index.search(vectors[place], 1)
            assert found[0] == ids[place]
            assert np.isclose(cosines[0], 1.0, atol=1e-5)


def received(reports: Connection) -> list[Any]:
    """Everything that came through before the process ended."""
    messages = []
    try:
        while True:
            messages.append(reports.recv())
    except EOFError:
        return messages


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_any_moment(seed: int, scene: Scene, tmp_path: Path) -> None:
    chance = random.Random(seed)
    patience = seed % (scene.batches + 1)  # batches reported before the kill: every number of them has its turn
    data = tmp_path / "data"
    shutil.copytree(scene.before, data)
    reports, sent = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=ingesting.run, args=(data, scene.notes, sent))
    process.start()
    sent.close()
    told = [reports.recv() for _ in range(patience)]
    time.sleep(chance.uniform(0, 0.03))
    process.kill()
    process.join()
    told += received(reports)

    finished = isinstance(told[-1], Report) if told else False
    added = max((number for number in told if isinstance(number, int)), default=0)
    assert_whole(data)
    with Store(data / "library.db") as store:
        came = [text for _, text, *_ in contents(store) if not text.startswith("Old note")]
    assert came == scene.added[: len(came)]
    assert added <= len(came) <= added + BATCH

    report = ingest_folder(data, scene.notes)
    assert report.added == len(scene.added) - len(came)
    assert_whole(data)
    with Store(data / "library.db") as store:
        assert sorted(contents(store)) == scene.after
    assert not finished or report.added == 0


def test_two_processes_ingest_one_folder_at_once(scene: Scene, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(scene.before, data)
    running = []
    for _ in range(2):
        reports, sent = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=ingesting.run, args=(data, scene.notes, sent))
        process.start()
        sent.close()
        running.append((process, reports))
    ends = [received(reports)[-1] for _, reports in running]
    for process, _ in running:
        process.join()
        assert process.exitcode == 0

    assert sum(report.added for report in ends) == len(scene.added)
    assert sum(report.removed for report in ends) == 30
    assert all(report.refused == () for report in ends)
    assert_whole(data)
    with Store(data / "library.db") as store:
        assert sorted(contents(store)) == scene.after
