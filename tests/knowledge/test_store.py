"""The store through its public methods, against a model of it, and in trouble."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from sqlite_utils import Migrations

from knowledge.database import open_database
from knowledge.errors import BadInput, StoreBusy, StoreError, StoreFull, StoreTooNew
from knowledge.migrations import apply_migrations
from knowledge.store import Store
from knowledge.types import Collection, Draft, Filters, Kind, Source
from tests.knowledge.fakes import DRAFTS, draft, unit_rows

D = 8
E = "an embedder"


def add(
    store: Store, collection: Collection, drafts: list[Draft] | tuple[Draft, ...], address: str = "a.txt"
) -> list[int]:
    source = store.source(collection, "file", address, address)
    return list(store.add(source, drafts, unit_rows(len(drafts), D, 0), E).ids)


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.collection("terminal", "library")


# What it keeps


def test_what_is_added_comes_back_as_it_was(store: Store, collection: Collection) -> None:
    whole = Draft(
        "Título", "Text\nwith lines", Kind.TREND, ("Zwölf", "a b"), "2024-03", "Ann", "https://x.example/1", "CC0-1.0"
    )
    (snippet,) = store.snippets(add(store, collection, [whole]))
    told = [name for name in Draft.__slots__ if name != "apart"]
    assert [getattr(snippet, name) for name in told] == [getattr(whole, name) for name in told]
    assert store.sources(collection)[0].id == snippet.source_id


def test_it_is_still_there_when_opened_again(tmp_path: Path) -> None:
    with Store(tmp_path / "deep" / "er" / "k.db") as store:
        ids = add(store, store.collection("t", "c"), DRAFTS)
    with Store(tmp_path / "deep" / "er" / "k.db") as store:
        assert [s.title for s in store.snippets(ids)] == [d.title for d in DRAFTS]
        np.testing.assert_array_equal(store.vectors(store.collection("t", "c"), E)[1], unit_rows(4, D, 0))


def test_collections_are_of_one_space(store: Store) -> None:
    one, other = store.collection("guild:1", "library"), store.collection("guild:2", "library")
    assert one != other
    assert store.collection("guild:1", "library") == one
    assert store.collections("guild:1") == [one]
    assert store.collections() == [one, other]
    assert store.key(one) != store.key(other)


def test_the_same_content_is_kept_once_in_a_collection(store: Store, collection: Collection) -> None:
    source = store.source(collection, "file", "a", "A")
    same = [draft("A  kite\n"), draft("Cafe\u0301"), draft("A kite"), draft("Caf\u00e9")]
    assert [d.text for d in store.unknown(collection, same)] == ["A  kite\n", "Cafe\u0301"]
    added = store.add(source, same, unit_rows(4, D, 1), E)
    assert (len(added.ids), added.unchanged) == (2, 2)
    assert store.unknown(collection, same) == []
    other = store.collection("terminal", "other")
    assert len(store.unknown(other, same)) == 2


def test_the_same_text_under_another_title_is_another_snippet(store: Store, collection: Collection) -> None:
    assert len(add(store, collection, [draft("text", "one"), draft("text", "two"), draft("two text", "")])) == 3


def test_snippets_come_in_the_order_asked_for_without_those_that_are_gone(store: Store, collection: Collection) -> None:
    one, two, three, four = add(store, collection, DRAFTS)
    assert store.remove([two]) == 1
    assert [s.id for s in store.snippets([four, two, one, 999, three])] == [four, one, three]
    assert store.remove([two, 999]) == 0


def test_ids_are_never_given_again(store: Store, collection: Collection) -> None:
    before = add(store, collection, DRAFTS)
    store.remove(before)
    assert min(add(store, collection, DRAFTS)) > max(before)


def test_removing_a_source_takes_all_of_it(store: Store, collection: Collection) -> None:
    kept = add(store, collection, DRAFTS[:1], "kept")
    add(store, collection, DRAFTS[1:], "gone")
    gone = store.sources(collection)[1]
    assert store.remove_source(gone) == 3
    assert [source.address for source in store.sources(collection)] == ["kept"]
    assert store.ids(collection) == kept
    assert store.search([collection], "market map trains", 9) == []
    assert store.matching([collection], Filters(topics=frozenset({"paper"}))) == set()


def test_removing_a_collection_takes_all_of_it(store: Store, collection: Collection) -> None:
    add(store, collection, DRAFTS)
    assert store.remove_collection(collection) == 4
    assert store.collections() == []
    with pytest.raises(StoreError, match="library"):
        store.revision(collection)
    with pytest.raises(StoreError, match="no longer"):
        store.source(collection, "file", "b", "B")


def test_adding_to_a_source_that_was_removed_is_refused(store: Store, collection: Collection) -> None:
    source = store.source(collection, "file", "notes.txt", "Notes")
    store.remove_source(source)
    with pytest.raises(StoreError, match="Notes is no longer in the library"):
        store.add(source, DRAFTS, unit_rows(4, D, 0), E)


def test_lone_surrogates_and_zeros_can_be_kept_and_searched(store: Store, collection: Collection) -> None:
    odd = draft("harbour \ud800 \x00 light", "\udfff")
    (snippet,) = store.snippets(add(store, collection, [odd]))
    assert snippet.text == "harbour ? \x00 light"
    assert store.unknown(collection, [odd]) == []
    assert len(store.search([collection], "harbour \ud800", 1)) == 1


def test_vectors_that_do_not_fit_are_refused(store: Store, collection: Collection) -> None:
    source = store.source(collection, "file", "a", "A")
    for wrong in (
        unit_rows(3, D, 0),
        2 * unit_rows(4, D, 0),
        unit_rows(4, D, 0)[0],
        np.full((4, D), np.nan, np.float32),
    ):
        with pytest.raises(ValueError, match="vectors"):
            store.add(source, DRAFTS, wrong, E)
    assert store.count(collection) == 0


def test_a_digest_holds_until_something_of_the_source_goes(store: Store, collection: Collection) -> None:
    ids = add(store, collection, DRAFTS)
    (source,) = store.sources(collection)
    assert store.digest(source) is None
    store.set_digest(source, "abc")
    add(store, collection, [draft("more")], "another source")
    assert store.digest(source) == "abc"
    store.remove(ids[:1])
    assert store.digest(source) is None


def test_every_change_lets_the_revision_grow_and_of_that_collection_only(store: Store, collection: Collection) -> None:
    other = store.collection("terminal", "other")
    seen = [store.revision(collection)]
    ids = add(store, collection, DRAFTS)
    seen.append(store.revision(collection))
    store.set_vectors(ids[:1], unit_rows(1, D, 5), "another")
    seen.append(store.revision(collection))
    store.remove(ids[:1])
    seen.append(store.revision(collection))
    store.remove_source(store.sources(collection)[0])
    seen.append(store.revision(collection))
    assert seen == sorted(set(seen))
    add(store, collection, [])
    store.remove(ids)
    assert store.revision(collection) == seen[-1]
    assert store.revision(other) == 0


# Vectors


def test_vectors_by_embedder(store: Store, collection: Collection) -> None:
    ids = add(store, collection, DRAFTS)
    rows = unit_rows(4, D, 0)
    assert store.vectors(collection, E)[0].tolist() == ids
    assert store.vectors(collection, E, after=ids[1])[0].tolist() == ids[2:]
    assert store.vectors(collection, E, after=ids[0], limit=2)[0].tolist() == ids[1:3]
    found, vectors = store.vectors_of([ids[2], ids[0], 999], E)
    assert found.tolist() == [ids[0], ids[2]]
    np.testing.assert_array_equal(vectors, rows[[0, 2]])
    empty = store.vectors(collection, "another")
    assert (empty[0].shape, empty[1].shape) == ((0,), (0, 0))


def test_another_embedder_replaces_vectors_one_by_one(store: Store, collection: Collection) -> None:
    ids = add(store, collection, DRAFTS)
    assert store.without_vectors(collection, E) == []
    assert [s.id for s in store.without_vectors(collection, "new")] == ids
    store.set_vectors([ids[1], 999], unit_rows(2, 4, 3), "new")
    assert [s.id for s in store.without_vectors(collection, "new")] == [ids[0], *ids[2:]]
    assert store.vector_ids(collection, E).tolist() == [ids[0], *ids[2:]]
    np.testing.assert_array_equal(store.vectors(collection, "new")[1], unit_rows(2, 4, 3)[:1])


# Finding


def test_words_are_found_whatever_their_form(store: Store, collection: Collection) -> None:
    ids = add(store, collection, [*DRAFTS, draft("Die Brücke über die Alster")])
    assert [i for i, _ in store.search([collection], "the fisherman's LANTERN", 9)][:2] == ids[:2]
    assert [i for i, _ in store.search([collection], "brucke", 9)] == [ids[4]]
    assert [i for i, _ in store.search([collection], "sounds", 9)] == [ids[3]]  # a topic
    assert store.search([collection], "zeppelin", 9) == []


def test_a_word_in_the_title_counts_for_more(store: Store, collection: Collection) -> None:
    ids = add(store, collection, [draft("of a kite here", "nothing much"), draft("of nothing much here", "a kite")])
    found = store.search([collection], "kite", 9)
    assert [i for i, _ in found] == ids[::-1]
    assert found[0][1] > found[1][1] > 0


def test_search_keeps_to_the_collections_and_the_limit(store: Store, collection: Collection) -> None:
    other = store.collection("guild:1", "library")
    add(store, other, DRAFTS)
    assert store.search([collection], "lantern", 9) == []
    assert store.search([], "lantern", 9) == []
    assert len(store.search([collection, other], "lantern lanterns", 9)) == 2
    assert len(store.search([other], "lantern", 1)) == 1
    assert len(store.search([other], "lantern", 9, Filters(kinds=frozenset({Kind.EVENT})))) == 1


@pytest.mark.parametrize("query", ["", "  ", '"', "***", "()", "\x00", "-", "NEAR(", "😀", "\ud800"])
def test_a_query_without_words_finds_nothing(store: Store, collection: Collection, query: str) -> None:
    add(store, collection, DRAFTS)
    assert store.search([collection], query, 9) == []
    assert store.shared_words(store.ids(collection), query) == {}


def test_operators_are_words(store: Store, collection: Collection) -> None:
    (only,) = add(store, collection, [draft("near the harbour")])
    for query in ('harbour AND "', "harbour NOT near", "title:harbour", "harb* harbour", "{harbour}", "^harbour + x"):
        assert [i for i, _ in store.search([collection], query, 9)] == [only]


def test_stop_words_count_only_where_there_is_nothing_else(store: Store, collection: Collection) -> None:
    one, two = add(store, collection, [draft("to be or not"), draft("a kite")])
    assert [i for i, _ in store.search([collection], "to be or a kite", 9)] == [two]
    assert [i for i, _ in store.search([collection], "to be", 9)] == [one]


def test_a_word_that_very_many_have_gives_way_to_rarer_ones(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.wording.MOST_MATCHES", 10)
    monkeypatch.setattr("knowledge.wording.RANKED_WHOLE", 20)
    many = add(store, collection, [draft(f"paper boat number {one}") for one in range(30)])
    rare, both = add(store, collection, [draft("a harbour"), draft("paper lantern boat")])
    assert [i for i, _ in store.search([collection], "paper harbour", 9)] == [rare]
    assert [i for i, _ in store.search([collection], "paper lantern", 9)] == [both]
    assert {i for i, _ in store.search([collection], "paper boat", 99)} == {*many, both}  # all are common: both at once
    assert len(store.search([collection], "paper", 99)) == 31


def test_shared_words_are_as_the_snippet_writes_them(store: Store, collection: Collection) -> None:
    ids = add(store, collection, DRAFTS)
    assert store.shared_words(ids, "a lantern for the markets, lit") == {ids[0]: "lanterns", ids[1]: "lantern"}
    assert store.shared_words(ids[1:], "light sounds") == {ids[1]: "light", ids[3]: "sound"}


@st.composite
def texts(drawn: st.DrawFn) -> str:
    pieces = st.sampled_from(
        ['"', "'", "*", "(", ")", " AND ", " OR ", " NOT ", "NEAR(", ":", "^", "-", "+", "\\", "harbour"]
    )
    return "".join(drawn(st.lists(st.one_of(pieces, st.text(max_size=8)), max_size=12)))


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Store, Collection]]:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "k.db") as store:
        collection = store.collection("t", "c")
        add(store, collection, DRAFTS)
        yield store, collection


@given(query=texts())
@settings(max_examples=300, deadline=None)
def test_no_query_fails(filled: tuple[Store, Collection], query: str) -> None:
    store, collection = filled
    found = {i for i, score in store.search([collection], query, 9) if score > 0}
    assert found == set(store.shared_words(store.ids(collection), query))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(kinds=frozenset({Kind.EVENT, Kind.ARTEFACT})), {1, 2}),
        (Filters(topics=frozenset({"LIGHT"})), {0, 1}),
        (Filters(topics=frozenset({"food", "sound"})), {1, 3}),
        (Filters(topics=frozenset({"light"}), kinds=frozenset({Kind.EVENT})), {1}),
        (Filters(since="2024"), {1, 2}),
        (Filters(since="2024-03-09"), {1, 2}),  # "2024-03" may lie there
        (Filters(since="2024-03-10"), {1}),
        (Filters(until="1957-05"), {0}),
        (Filters(since="1957", until="2024-03"), {0, 1, 2}),
        (Filters(until="1956"), set()),
        (Filters(topics=frozenset({"no such"})), set()),
    ],
)
def test_filters(store: Store, collection: Collection, filters: Filters, expected: set[int]) -> None:
    ids = add(store, collection, DRAFTS)
    assert store.matching([collection], filters) == {ids[i] for i in expected}


def test_no_condition_is_not_every_id(store: Store, collection: Collection) -> None:
    assert store.matching([collection], Filters()) is None


@pytest.mark.parametrize("date", ["yesterday", "24-03", "2024-3", "2024-03-09T10:00", "", "2024; DROP TABLE snippets"])
def test_a_date_that_is_none_is_refused(store: Store, collection: Collection, date: str) -> None:
    with pytest.raises(BadInput, match="is no date"):
        store.matching([collection], Filters(since=date))


# Against a model


class StoreLife(RuleBasedStateMachine):
    """Any sequence of changes leaves the store holding what a plain dictionary holds."""

    sources = Bundle("sources")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "k.db"
        self.open()
        self.collections = [self.store.collection("one", "c"), self.store.collection("two", "c")]
        # collection -> text -> (snippet id, source id)
        self.model: dict[int, dict[str, tuple[int, int]]] = {c.id: {} for c in self.collections}

    def open(self) -> None:
        self.store = Store(self.path)
        # What is tested is not the disk: without waiting for it there is time for more examples.
        self.store.db.execute("PRAGMA synchronous = OFF")

    @initialize(target=sources)
    def first(self) -> Source:
        return self.store.source(self.collections[0], "file", "0", "File")

    @rule(target=sources, of=st.integers(0, 1), number=st.integers(0, 3))
    def source(self, of: int, number: int) -> Source:
        return self.store.source(self.collections[of], "file", str(number), "File")

    @rule(source=sources, numbers=st.lists(st.integers(0, 12), max_size=8))
    def add(self, source: Source, numbers: list[int]) -> None:
        texts = [f"snippet number {n}" for n in numbers]
        held = self.model[source.collection_id]
        drafts = [draft(text) for text in texts]
        fresh = list(dict.fromkeys(text for text in texts if text not in held))
        collection = next(c for c in self.collections if c.id == source.collection_id)
        assert [d.text for d in self.store.unknown(collection, drafts)] == fresh
        try:
            added = self.store.add(source, drafts, unit_rows(len(drafts), D, 0), E)
        except StoreError:
            assert source not in self.store.sources(collection)
            return
        assert len(added.ids) == len(fresh)
        assert added.unchanged == len(texts) - len(fresh)
        held.update({text: (i, source.id) for text, i in zip(fresh, added.ids, strict=True)})

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        every = [i for held in self.model.values() for i, _ in held.values()]
        ids = data.draw(st.lists(st.sampled_from([*every, 10**6]), unique=True))
        assert self.store.remove(ids) == len(set(ids) & set(every))
        for held in self.model.values():
            for text in [text for text, (i, _) in held.items() if i in ids]:
                del held[text]

    @rule(source=consumes(sources))
    def remove_source(self, source: Source) -> None:
        held = self.model[source.collection_id]
        gone = [text for text, (_, source_id) in held.items() if source_id == source.id]
        assert self.store.remove_source(source) == len(gone)
        for text in gone:
            del held[text]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def store_and_model_agree(self) -> None:
        for collection in self.collections:
            held = self.model[collection.id]
            ids = sorted(i for i, _ in held.values())
            assert self.store.ids(collection) == ids
            assert self.store.vector_ids(collection, E).tolist() == ids
            assert {s.text: (s.id, s.source_id) for s in self.store.snippets(ids)} == held
            assert sorted(i for i, _ in self.store.search([collection], "snippet", 99)) == ids
        self.store.db.execute("INSERT INTO snippets_fts (snippets_fts) VALUES ('integrity-check')")

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()


TestStoreLife = StoreLife.TestCase
TestStoreLife.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)


# In trouble


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
