"""The index, against the store that it is derived from and a search that compares everything."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from knowledge import indexfile
from knowledge.errors import StoreBusy, StoreError
from knowledge.index import Index, Indexes
from knowledge.nearest import LOOKED_AT
from knowledge.store import Store
from knowledge.types import Collection
from tests.knowledge.fakes import draft, unit_rows

D = 16
E = "an embedder"


def fill(store: Store, collection: Collection, count: int, seed: int = 0, embedder: str = E) -> NDArray[np.float32]:
    """Put `count` snippets with random vectors into `collection`; returns the vectors."""
    source = store.source(collection, "file", f"{seed}.txt", "File")
    vectors = unit_rows(count, D, seed)
    store.add(source, [draft(f"{seed}: {i}") for i in range(count)], vectors, embedder)
    return vectors


def nearest_of_all(
    store: Store, collection: Collection, query: NDArray[np.float32], limit: int, allowed: set[int] | None = None
) -> list[int]:
    """What an index should find, by comparing everything in the store."""
    ids, vectors = store.vectors(collection, E)
    pairs = [
        (-float(v @ query), int(i)) for i, v in zip(ids, vectors, strict=True) if allowed is None or int(i) in allowed
    ]
    return [i for _, i in sorted(pairs)[:limit]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def test_finds_the_nearest_best_first(store: Store, collection: Collection, folder: Path) -> None:
    fill(store, collection, 200)
    query = unit_rows(1, D, 9)[0]
    ids, cosines = Index(folder, store, collection, E, D).search(query, 10)
    assert ids.tolist() == nearest_of_all(store, collection, query, 10)
    assert (np.diff(cosines) <= 0).all()
    np.testing.assert_allclose(
        cosines, store.vectors_of(ids.tolist(), E)[1][np.argsort(np.argsort(ids))] @ query, atol=1e-6
    )


def test_an_empty_collection_has_no_nearest(store: Store, collection: Collection, folder: Path) -> None:
    ids, cosines = Index(folder, store, collection, E, D).search(unit_rows(1, D, 1)[0], 5)
    assert len(ids) == len(cosines) == 0


def test_asking_for_more_than_there_are_gives_all(store: Store, collection: Collection, folder: Path) -> None:
    fill(store, collection, 3)
    ids, _ = Index(folder, store, collection, E, D).search(unit_rows(1, D, 1)[0], 50)
    assert sorted(ids.tolist()) == store.ids(collection)


@pytest.mark.parametrize("exact_limit", [1000, 100], ids=["exact", "approximate"])
def test_only_allowed_snippets_are_found(store: Store, collection: Collection, folder: Path, exact_limit: int) -> None:
    fill(store, collection, 400)
    index = Index(folder, store, collection, E, D, exact_limit)
    query = unit_rows(1, D, 5)[0]
    allowed = set(store.ids(collection)[::40])
    ids, _ = index.search(query, 4, allowed | {10**6})
    assert ids.tolist() == nearest_of_all(store, collection, query, 4, allowed)
    assert len(index.search(query, 4, [])[0]) == 0


def test_the_approximate_index_finds_what_it_promises(store: Store, collection: Collection, folder: Path) -> None:
    fill(store, collection, 3000)
    index = Index(folder, store, collection, E, D, exact_limit=1000)
    queries = unit_rows(100, D, 77)

    def recall(allowed: set[int] | None = None) -> float:
        found = [set(index.search(query, 10, allowed)[0].tolist()) for query in queries]
        nearest = [set(nearest_of_all(store, collection, query, 10, allowed)) for query in queries]
        return float(np.mean([len(one & other) / 10 for one, other in zip(found, nearest, strict=True)]))

    assert recall() >= 0.95
    store.remove(store.ids(collection)[100:2000:3])
    index.refresh()
    assert recall() >= 0.95, "what is left has moved up, in all that is kept of it"
    fill(store, collection, 500, seed=1)
    index.refresh()
    assert recall() >= 0.95
    assert recall(allowed=set(store.ids(collection)[:-300])) >= 0.95, "most are allowed"
    near = {i for query in queries for i in nearest_of_all(store, collection, query, 20)}
    assert recall(allowed=set(store.ids(collection)) - near) >= 0.95, "all but the nearest are allowed"


@pytest.mark.parametrize("exact_limit", [1000, 100], ids=["exact", "approximate"])
def test_the_file_alone_is_enough_when_nothing_changed(
    store: Store, collection: Collection, folder: Path, exact_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, collection, 400)
    query = unit_rows(1, D, 3)[0]
    first = Index(folder, store, collection, E, D, exact_limit)
    first.save()
    monkeypatch.setattr(Store, "vectors", None)
    monkeypatch.setattr(Store, "vectors_of", None)
    second = Index(folder, store, collection, E, D, exact_limit)
    assert second.search(query, 7)[0].tolist() == first.search(query, 7)[0].tolist()
    np.testing.assert_array_equal(second.vectors(second.ids[:5]), first.vectors(first.ids[:5]))


def damage_nothing(path: Path) -> None:
    path.unlink()


def damage_header(path: Path) -> None:
    path.write_bytes(b"\x00" * 40 + path.read_bytes()[40:])


def damage_body(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(bytes(whole))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def no_object(path: Path) -> None:
    path.write_bytes(b"[1]".ljust(1024) + path.read_bytes()[1024:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_nothing, damage_header, damage_body, cut_short, lengthen, no_object, empty])
def test_a_damaged_file_is_built_anew(store: Store, collection: Collection, folder: Path, damage: object) -> None:
    fill(store, collection, 100)
    Index(folder, store, collection, E, D).save()
    (path,) = folder.iterdir()
    damage(path)  # type: ignore[operator]
    query = unit_rows(1, D, 4)[0]
    assert Index(folder, store, collection, E, D).search(query, 9)[0].tolist() == nearest_of_all(
        store, collection, query, 9
    )


def test_a_file_of_another_kind_of_index_is_built_anew(store: Store, collection: Collection, folder: Path) -> None:
    """Whole by its checksum, but FAISS cannot read it: as another version of FAISS may have written it."""
    fill(store, collection, 50)
    Index(folder, store, collection, E, D).save()
    (path,) = folder.iterdir()
    body = b"no FAISS index at all"
    header = json.loads(path.read_bytes()[:1024])
    header |= {"bytes": len(body), "crc32": indexfile.zlib.crc32(body)}
    path.write_bytes(json.dumps(header).encode().ljust(1024) + body)
    assert len(Index(folder, store, collection, E, D).ids) == 50


def test_a_changed_embedder_makes_another_index(store: Store, collection: Collection, folder: Path) -> None:
    fill(store, collection, 30)
    Index(folder, store, collection, E, D).save()
    assert len(Index(folder, store, collection, "other", D).ids) == 0
    ids = store.ids(collection)
    store.set_vectors(ids, unit_rows(30, 8, 2), "other")
    index = Index(folder, store, collection, "other", 8)
    assert index.ids.tolist() == ids
    assert index.vectors(index.ids).shape == (30, 8)


def test_deleted_snippets_leave_the_file_too(store: Store, collection: Collection, folder: Path) -> None:
    vectors = fill(store, collection, 30)
    index = Index(folder, store, collection, E, D)
    index.save()
    (path,) = folder.iterdir()
    assert vectors[7].tobytes() in path.read_bytes()
    store.remove([store.ids(collection)[7]])
    index.refresh()
    assert vectors[7].tobytes() not in path.read_bytes()


def test_a_full_disk_costs_no_search(
    store: Store,
    collection: Collection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(indexfile, "write", refuse)
    fill(store, collection, 20)
    index = Index(folder, store, collection, E, D)
    index.save()
    assert "No space left" in caplog.text
    assert len(index.search(unit_rows(1, D, 1)[0], 5)[0]) == 5


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import faiss

    path = tmp_path / "a.faiss"
    index = faiss.IndexFlatIP(4)
    index.add(unit_rows(5, 4, 0))
    indexfile.write(path, index, {"n": 5})
    before = path.read_bytes()

    class Full:
        def __init__(self, file: object) -> None:
            self.length = self.crc32 = 0
            self.error = OSError(errno.ENOSPC, "No space left on device")

        def write(self, data: bytes) -> int:
            return len(data)

    monkeypatch.setattr(indexfile, "_Summed", Full)
    with pytest.raises(OSError, match="No space left"):
        indexfile.write(path, index, {"n": 6})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_store_that_fails_half_way_costs_nothing(
    store: Store, collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, collection, 40)
    index = Index(folder, store, collection, E, D)
    fill(store, collection, 60, seed=1)
    monkeypatch.setattr("knowledge.index._BATCH", 10)
    fetch, fetched = store.vectors_of, []

    def fail_at_the_third(ids: list[int], embedder: str) -> object:
        fetched.append(ids)
        if len(fetched) == 3:
            raise StoreBusy("wait")
        return fetch(ids, embedder)

    monkeypatch.setattr(store, "vectors_of", fail_at_the_third)
    with pytest.raises(StoreBusy):
        index.refresh()
    assert len(index.ids) == 60
    index.refresh()
    assert index.ids.tolist() == store.ids(collection)
    query = unit_rows(1, D, 8)[0]
    assert index.search(query, 20)[0].tolist() == nearest_of_all(store, collection, query, 20)


def test_what_killed_writers_left_is_deleted_when_old(store: Store, collection: Collection, folder: Path) -> None:
    folder.mkdir()
    old, new = folder / "a.part", folder / "b.part"
    for path in (old, new):
        path.write_bytes(b"half an index")
    os.utime(old, (1, 1))
    Indexes(folder, store, E, D)
    assert list(folder.iterdir()) == [new]


def test_indexes_follow_the_store(store: Store, collection: Collection, folder: Path) -> None:
    other = store.collection("terminal", "other")
    with Indexes(folder, store, E, D) as indexes:
        assert len(indexes.of(collection).ids) == 0
        fill(store, collection, 5)
        assert len(indexes.of(collection).ids) == 5
        assert len(indexes.of(other).ids) == 0
        assert indexes.of(collection) is indexes.of(collection)
    assert [path.suffix for path in folder.iterdir()] == [".faiss"]


def test_indexes_of_collections_that_are_gone_are_deleted(store: Store, collection: Collection, folder: Path) -> None:
    fill(store, collection, 5)
    with Indexes(folder, store, E, D) as indexes:
        indexes.of(collection).save()
        store.remove_collection(collection)
        with pytest.raises(StoreError, match="library"):
            indexes.of(collection)
    assert len(list(folder.iterdir())) == 1
    Indexes(folder, store, E, D)
    assert list(folder.iterdir()) == []


def test_only_so_many_bytes_are_open_and_what_was_closed_comes_back(store: Store, folder: Path) -> None:
    spaces = [store.collection(f"guild:{number}", "own") for number in range(6)]
    for number, one in enumerate(spaces):
        fill(store, one, 20, seed=number)
    with Indexes(folder, store, E, D) as indexes:
        each = indexes.of(spaces[0]).bytes_held
    with Indexes(folder, store, E, D, most_bytes=3 * each) as indexes:
        first = indexes.of(spaces[0])
        for one in spaces[1:]:
            assert len(indexes.of(one).ids) == 20
            assert indexes.of(spaces[0]) is first  # asked for again and again
            assert indexes.bytes_open <= 3 * each
        fill(store, spaces[1], 5, seed=9)  # closed meanwhile
        query = unit_rows(1, D, 7)[0]
        found = indexes.of(spaces[1]).search(query, 5)[0].tolist()
        assert found == nearest_of_all(store, spaces[1], query, 5)
        big = store.collection("guild:big", "own")
        fill(store, big, 200, seed=11)
        assert len(indexes.of(big).ids) == 200  # larger than what may be open: the only one, then
        assert indexes.bytes_open == indexes.of(big).bytes_held


def test_a_growing_collection_is_not_read_anew(
    store: Store, collection: Collection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, collection, 50)
    index = Index(folder, store, collection, E, D)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "vector_ids", lambda *_: pytest.fail("all ids were read again"))
        fill(store, collection, 20, seed=1)
        index.refresh()
    assert index.ids.tolist() == store.ids(collection)
    np.testing.assert_array_equal(index.vectors(index.ids), store.vectors(collection, E)[1])
    # As many went as came: what went must not stay.
    gone = store.ids(collection)[:20]
    fill(store, collection, 20, seed=2)
    store.remove(gone)
    index.refresh()
    assert index.ids.tolist() == store.ids(collection)


class IndexLife(RuleBasedStateMachine):
    """Whatever is done to the store and the file, the index holds what the store holds.

    It crosses the exact limit both ways, so both structures and the step between them are met.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        root = Path(self._folder.name)
        self.store = Store(root / "k.db")
        # What is tested is not the disk: without waiting for it there is time for more examples.
        self.store.db.execute("PRAGMA synchronous = OFF")
        self.collection = self.store.collection("t", "c")
        self.root = root
        self.seed = 0

    def open(self) -> None:
        self.index = Index(self.root / "index", self.store, self.collection, E, D, exact_limit=30)

    @initialize()
    def start(self) -> None:
        self.open()

    @rule(count=st.integers(1, 25))
    def add(self, count: int) -> None:
        self.seed += 1
        fill(self.store, self.collection, count, self.seed)

    @precondition(lambda self: self.store.count(self.collection))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        self.store.remove(data.draw(st.lists(st.sampled_from(self.store.ids(self.collection)), unique=True)))

    @rule()
    def remove_most(self) -> None:
        self.store.remove(self.store.ids(self.collection)[2:])

    @rule()
    def save(self) -> None:
        self.index.save()

    @rule()
    def reopen_as_after_a_kill(self) -> None:
        self.open()

    @rule()
    def spoil_the_file(self) -> None:
        for path in (self.root / "index").glob("*.faiss"):
            path.write_bytes(path.read_bytes()[:-3])

    @rule(seed=st.integers(0, 50), limit=st.integers(1, 12))
    def search_again(self, seed: int, limit: int) -> None:
        self.index.refresh()
        query = unit_rows(1, D, 1000 + seed)[0]
        ids, cosines = self.index.search(query, limit)
        count = self.store.count(self.collection)
        if count <= 15:  # below half the limit it is exact again, whatever came before
            assert ids.tolist() == nearest_of_all(self.store, self.collection, query, limit)
        elif count <= LOOKED_AT * limit:  # all are looked at, to three digits
            held, vectors = self.store.vectors(self.collection, E)
            best = np.sort(vectors @ query)[::-1][:limit]
            np.testing.assert_allclose(cosines, best, atol=2e-3)
            np.testing.assert_allclose(vectors[np.searchsorted(held, ids)] @ query, best, atol=4e-3)
        assert set(ids.tolist()) <= set(self.store.ids(self.collection))

    @invariant()
    def holds_what_the_store_holds(self) -> None:
        if hasattr(self, "index"):
            self.index.refresh()
            ids, vectors = self.store.vectors(self.collection, E)
            assert self.index.ids.tolist() == ids.tolist()
            if len(ids):
                # Half precision, where it is approximate.
                np.testing.assert_allclose(self.index.vectors(ids), vectors, atol=1e-3)

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()


TestIndexLife = IndexLife.TestCase
TestIndexLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
