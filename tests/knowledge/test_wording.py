"""Finding snippets of a store by their words, and by what is known of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import BadInput
from knowledge.store import Store
from knowledge.types import Collection, Filters, Kind
from tests.knowledge.fakes import DRAFTS, add, draft


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
