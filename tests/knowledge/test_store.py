"""The store through its public methods, and against a model of it. In trouble: test_store_in_trouble.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from knowledge.errors import StoreError
from knowledge.store import Store
from knowledge.types import Collection, Draft, Filters, Kind, Source
from tests.knowledge.fakes import DIMENSION, DRAFTS, EMBEDDER, add, draft, unit_rows

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
        np.testing.assert_array_equal(
            store.vectors(store.collection("t", "c"), EMBEDDER)[1], unit_rows(4, DIMENSION, 0)
        )


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
    added = store.add(source, same, unit_rows(4, DIMENSION, 1), EMBEDDER)
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
        store.add(source, DRAFTS, unit_rows(4, DIMENSION, 0), EMBEDDER)


def test_lone_surrogates_and_zeros_can_be_kept_and_searched(store: Store, collection: Collection) -> None:
    odd = draft("harbour \ud800 \x00 light", "\udfff")
    (snippet,) = store.snippets(add(store, collection, [odd]))
    assert snippet.text == "harbour ? \x00 light"
    assert store.unknown(collection, [odd]) == []
    assert len(store.search([collection], "harbour \ud800", 1)) == 1


def test_vectors_that_do_not_fit_are_refused(store: Store, collection: Collection) -> None:
    source = store.source(collection, "file", "a", "A")
    for wrong in (
        unit_rows(3, DIMENSION, 0),
        2 * unit_rows(4, DIMENSION, 0),
        unit_rows(4, DIMENSION, 0)[0],
        np.full((4, DIMENSION), np.nan, np.float32),
    ):
        with pytest.raises(ValueError, match="vectors"):
            store.add(source, DRAFTS, wrong, EMBEDDER)
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
    store.set_vectors(ids[:1], unit_rows(1, DIMENSION, 5), "another")
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
    rows = unit_rows(4, DIMENSION, 0)
    assert store.vectors(collection, EMBEDDER)[0].tolist() == ids
    assert store.vectors(collection, EMBEDDER, after=ids[1])[0].tolist() == ids[2:]
    assert store.vectors(collection, EMBEDDER, after=ids[0], limit=2)[0].tolist() == ids[1:3]
    found, vectors = store.vectors_of([ids[2], ids[0], 999], EMBEDDER)
    assert found.tolist() == [ids[0], ids[2]]
    np.testing.assert_array_equal(vectors, rows[[0, 2]])
    empty = store.vectors(collection, "another")
    assert (empty[0].shape, empty[1].shape) == ((0,), (0, 0))


def test_another_embedder_replaces_vectors_one_by_one(store: Store, collection: Collection) -> None:
    ids = add(store, collection, DRAFTS)
    assert store.without_vectors(collection, EMBEDDER) == []
    assert [s.id for s in store.without_vectors(collection, "new")] == ids
    store.set_vectors([ids[1], 999], unit_rows(2, 4, 3), "new")
    assert [s.id for s in store.without_vectors(collection, "new")] == [ids[0], *ids[2:]]
    assert store.vector_ids(collection, EMBEDDER).tolist() == [ids[0], *ids[2:]]
    np.testing.assert_array_equal(store.vectors(collection, "new")[1], unit_rows(2, 4, 3)[:1])


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
            added = self.store.add(source, drafts, unit_rows(len(drafts), DIMENSION, 0), EMBEDDER)
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
            assert self.store.vector_ids(collection, EMBEDDER).tolist() == ids
            assert {s.text: (s.id, s.source_id) for s in self.store.snippets(ids)} == held
            assert sorted(i for i, _ in self.store.search([collection], "snippet", 99)) == ids
        self.store.db.execute("INSERT INTO snippets_fts (snippets_fts) VALUES ('integrity-check')")

    def teardown(self) -> None:
        self.store.close()
        self._folder.cleanup()


TestStoreLife = StoreLife.TestCase
TestStoreLife.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
