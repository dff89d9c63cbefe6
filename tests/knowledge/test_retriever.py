"""The retriever: with a fake embedder for its rules, with the real one and the starter collection for its sense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.embedder import Embedder
from knowledge.embedding import add_drafts
from knowledge.errors import BadInput
from knowledge.index import Indexes
from knowledge.retriever import Retriever
from knowledge.starter import load_starter
from knowledge.store import Store
from knowledge.types import Band, Distance, Draft, Filters, Hit, Kind
from tests.knowledge.fakes import DRAFTS, HashEmbedder, draft

WORDS = "harbour lantern paper echo kite river bread mirror salt ladder clock moth".split()


def fill(store: Store, embedder: Embedder, space: str, drafts: list[Draft] | tuple[Draft, ...]) -> list[int]:
    source = store.source(store.collection(space, "library"), "file", "a", "A")
    return list(add_drafts(store, embedder, source, drafts).ids)


def many(count: int, seed: int = 0) -> list[Draft]:
    """Drafts of three words each, so that every cosine between nothing and one occurs."""
    rng = np.random.default_rng(seed)
    return [draft(f"{' '.join(rng.choice(WORDS, 3, replace=False))} number{i}", f"title{i}") for i in range(count)]


@pytest.fixture
def fake() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def retriever(store: Store, fake: HashEmbedder, tmp_path: Path) -> Iterator[Retriever]:
    with Indexes(tmp_path / "index", store, fake.name, fake.dimension) as indexes:
        yield Retriever(store, fake, indexes)


def ids(hits: list[Hit]) -> list[int]:
    return [hit.snippet.id for hit in hits]


# Search


def test_search_finds_by_word_and_by_meaning(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    known = fill(store, fake, "terminal", DRAFTS)
    hits = retriever.search("a harbour wall", ["terminal"])
    assert hits[0].snippet.id == known[0]
    assert hits[0].why == "shares the word 'harbour'"
    assert hits[0].band is Band.NEAR
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(hits) == 4
    assert hits[-1].why == "near in meaning"  # in so small a library all are near


def test_nothing_crosses_from_one_space_to_another(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    ours = fill(store, fake, "guild:1", many(30))
    theirs = fill(store, fake, "guild:2", [draft("harbour secret", "the very words of the query"), *many(30, seed=1)])
    shared = fill(store, fake, "starter", many(30, seed=2))
    for query in ("harbour secret the very words of the query", "kite"):
        for hits in (
            retriever.search(query, ["guild:1", "starter"], 60),
            *(retriever.sparks(query, ["guild:1", "starter"], 60, distance) for distance in Distance),
        ):
            found = set(ids(hits))
            assert found <= {*ours, *shared}
            assert found & set(ours)
            assert found & set(shared)
    assert set(ids(retriever.search("kite", ["guild:2"], 60))) <= set(theirs)
    assert retriever.search("harbour", []) == retriever.search("harbour", ["guild:3"]) == []
    assert retriever.sparks("harbour", [], 5) == []


def test_filters_hold_for_both_rankings(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    known = fill(store, fake, "terminal", DRAFTS)
    light = Filters(topics=frozenset({"light"}))
    assert set(ids(retriever.search("map lantern", ["terminal"], filters=light))) == set(known[:2])
    assert set(ids(retriever.sparks("map lantern", ["terminal"], 9, filters=light))) == set(known[:2])
    recent = Filters(since="2024", kinds=frozenset({Kind.ARTEFACT}))
    assert ids(retriever.search("anything", ["terminal"], filters=recent)) == [known[2]]
    assert retriever.search("lantern", ["terminal"], filters=Filters(topics=frozenset({"none"}))) == []
    with pytest.raises(BadInput):
        retriever.search("lantern", ["terminal"], filters=Filters(until="soon"))


def test_the_same_is_said_once(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    said = "a lantern on the harbour wall shines over the quiet bay all night long"
    fill(store, fake, "terminal", [draft(said, "Lantern"), draft(said + " indeed", "Lantern"), draft("a map of bread")])
    fill(store, fake, "starter", [draft(said, "Lantern")])
    fill(store, fake, "starter", many(40))
    hits = retriever.search("lantern harbour", ["terminal", "starter"])
    assert sum("quiet bay" in hit.snippet.text for hit in hits) == 1
    for distance in Distance:
        hits = retriever.sparks("lantern harbour", ["terminal", "starter"], 43, distance)
        assert sum("quiet bay" in hit.snippet.text for hit in hits) <= 1


def test_identical_text_under_different_titles_is_shown_once(
    store: Store, fake: HashEmbedder, retriever: Retriever
) -> None:
    titles = ("A quite different heading of many words", "Nothing of that sort stands above this one here")
    fill(store, fake, "terminal", [draft("Short text.", titles[0]), draft("short  text.", titles[1])])
    assert len(retriever.search("short text", ["terminal"])) == 1


def test_words_still_find_what_has_no_vector_yet(store: Store, retriever: Retriever) -> None:
    """As after a change of embedder, until all is embedded again."""
    fill(store, HashEmbedder("old"), "terminal", DRAFTS)
    hits = retriever.search("harbour", ["terminal"])
    assert [hit.snippet.title for hit in hits] == ["Harbour Lights"]
    assert hits[0].similarity == 0.0


def test_what_is_added_or_deleted_shows_at_once(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    known = fill(store, fake, "terminal", DRAFTS)
    assert known[0] in ids(retriever.search("harbour", ["terminal"]))
    store.remove([known[0]])
    assert known[0] not in ids(retriever.search("harbour lights", ["terminal"]))
    (new,) = fill(store, fake, "terminal", [draft("harbour harbour")])
    assert ids(retriever.search("harbour", ["terminal"]))[0] == new


@pytest.mark.parametrize("query", ["", '"', "a" * 100_000, "\x00\x07", "\ud800"])
def test_any_text_will_do_as_a_query(store: Store, fake: HashEmbedder, retriever: Retriever, query: str) -> None:
    fill(store, fake, "terminal", DRAFTS)
    assert len(retriever.search(query, ["terminal"], 3)) == 3
    assert len(retriever.sparks(query, ["terminal"], 3)) == 3


# Sparks


@pytest.mark.parametrize("size", [0, 1, 3, 7, 20])
@pytest.mark.parametrize("distance", Distance)
def test_a_tiny_library_gives_what_it_has(
    store: Store, fake: HashEmbedder, retriever: Retriever, size: int, distance: Distance
) -> None:
    # One word for each: all different, or some would be passed over as saying the same.
    known = fill(store, fake, "terminal", [draft(f"{i} one{i} two{i} three{i}") for i in range(size)])
    hits = retriever.sparks("one1 two2 three3", ["terminal"], 10, distance, seed=3)
    assert len(ids(hits)) == min(size, 10)
    assert len(set(ids(hits))) == len(hits)
    assert set(ids(hits)) <= set(known)


def test_the_dial(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    fill(store, fake, "terminal", many(400))
    query = "harbour lantern paper"
    by_distance = {d: retriever.sparks(query, ["terminal"], 10, d, seed=1) for d in Distance}
    mean = {d: np.mean([hit.similarity for hit in hits]) for d, hits in by_distance.items()}
    assert mean[Distance.NEAR] > mean[Distance.MIXED] > mean[Distance.FAR]
    assert {hit.band for hit in by_distance[Distance.FAR]} == {Band.FAR}
    bands = [hit.band for hit in by_distance[Distance.MIXED]]
    assert (bands.count(Band.MIDDLE), bands.count(Band.FAR)) == (6, 2)
    assert {hit.why for hit in by_distance[Distance.FAR]} == {"remotely related"}


def test_far_is_related_and_not_random(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    fill(store, fake, "terminal", many(400))
    query = fake.embed(["harbour lantern paper"])[0]
    _, vectors = store.vectors(store.collection("terminal", "library"), fake.name)
    cosines = np.sort(vectors @ query)
    for seed in range(5):
        for hit in retriever.sparks("harbour lantern paper", ["terminal"], 10, Distance.FAR, seed):
            assert cosines[int(0.69 * 400)] <= hit.similarity <= cosines[int(0.91 * 400)]


def test_the_same_seed_gives_the_same_sparks(store: Store, fake: HashEmbedder, retriever: Retriever) -> None:
    fill(store, fake, "terminal", many(300))

    def draw(seed: int, distance: Distance = Distance.MIXED) -> list[Hit]:
        return retriever.sparks("kite river", ["terminal"], 10, distance, seed)

    assert draw(7) == draw(7)
    assert len({tuple(ids(draw(seed))) for seed in range(6)}) == 6
    assert ids(draw(1, Distance.NEAR)) == ids(draw(2, Distance.NEAR))


def test_another_seed_gives_others_even_where_many_are_drawn(
    store: Store, fake: HashEmbedder, retriever: Retriever
) -> None:
    fill(store, fake, "terminal", many(1000))
    drawn = [set(ids(retriever.sparks("kite river", ["terminal"], 30, seed=seed))) for seed in range(5)]
    assert max(len(one & other) for one, other in combinations(drawn, 2)) <= 15


def test_excluded_snippets_stay_away_until_nothing_is_left(
    store: Store, fake: HashEmbedder, retriever: Retriever
) -> None:
    known = fill(store, fake, "terminal", [draft(f"{i} one{i} two{i} three{i}") for i in range(33)])
    seen: frozenset[int] = frozenset()
    for expected in (10, 10, 10, 3, 0):
        hits = retriever.sparks("one1 two2", ["terminal"], 10, seed=len(seen), exclude=seen)
        assert len(hits) == expected
        assert not seen & set(ids(hits))
        seen |= set(ids(hits))
    assert seen == set(known)


def test_a_library_larger_than_the_survey(
    store: Store, fake: HashEmbedder, retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.retriever._SURVEYED", 100)
    monkeypatch.setattr("knowledge.retriever._DRAWN_FROM", 100)
    fill(store, fake, "terminal", many(600))
    (best,) = fill(store, fake, "terminal", [draft("harbour harbour lantern")])
    hits = retriever.sparks("harbour lantern", ["terminal"], 10, seed=2)
    assert len(set(ids(hits))) == 10
    assert best in ids(hits)  # whether or not it is in the sample
    assert {hit.band for hit in hits} == set(Band)
    assert hits == retriever.sparks("harbour lantern", ["terminal"], 10, seed=2)
    found = retriever.search("harbour lantern", ["terminal"], 10)
    assert found[0].snippet.id == best and found[0].band is Band.NEAR and len(set(ids(found))) == 10


def test_a_large_library_may_grow_without_all_its_sparks_changing(
    store: Store, fake: HashEmbedder, retriever: Retriever
) -> None:
    fill(store, fake, "terminal", many(4500))  # twice as many as sparks are drawn from

    def sparks() -> list[set[int]]:
        found = [retriever.sparks("paper harbour", ["terminal"], 8, Distance.FAR, seed=seed) for seed in range(12)]
        return [set(ids(hits)) for hits in found]

    before = sparks()
    fill(store, fake, "terminal", [draft("moth clock ladder one more", "one more")])
    kept = [len(one & other) / len(one) for one, other in zip(before, sparks(), strict=True)]
    assert np.median(kept) > 0.7


# With the real parts


@pytest.fixture(scope="module")
def real(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Retriever, dict[str, Draft]]]:
    """A retriever over a part of the starter collection: a twentieth, and whatever is about tea."""
    from knowledge import starter

    root = tmp_path_factory.mktemp("real")
    every = starter.read_drafts((Path(starter.__file__).parent / "snippets.jsonl").read_text("utf-8"))
    chosen = [d for i, d in enumerate(every) if i % 20 == 10 or " tea" in d.text.lower()]
    with Store(root / "k.db") as store:
        source = store.source(store.collection("starter", "starter"), "starter", "starter", "Starter")
        add_drafts(store, embedder, source, chosen)
        with Indexes(root / "index", store, embedder.name, embedder.dimension) as indexes:
            yield Retriever(store, embedder, indexes), {d.title: d for d in chosen}


def test_a_real_brief_finds_what_a_reader_would_call_near(real: tuple[Retriever, dict[str, Draft]]) -> None:
    retriever, drafts = real
    hits = retriever.search("Name and story for a new herbal tea", ["starter"], 3)
    assert all("tea" in drafts[hit.snippet.title].text.lower() for hit in hits)
    # Not one word in common with what is meant, so it was meaning that found it.
    for query, title in (
        ("insects controlled by mushrooms", "Zombie Ant Bite"),
        ("rocks as currency", "Money too heavy to move"),
    ):
        assert title in [hit.snippet.title for hit in retriever.search(query, ["starter"], 3)]


def test_real_sparks_are_all_different_and_sourced(real: tuple[Retriever, dict[str, Draft]]) -> None:
    retriever, _ = real
    hits = retriever.sparks("A poster for a night market by the harbour", ["starter"], 10, seed=5)
    assert len(set(ids(hits))) == 10
    assert {hit.band for hit in hits} == set(Band)
    assert all((hit.snippet.address or "").startswith("https://") for hit in hits)
    vectors = retriever._embedder.embed([f"{hit.snippet.title}. {hit.snippet.text}" for hit in hits])
    assert float((vectors @ vectors.T - np.eye(10)).max()) < 0.8


def test_the_starter_collection_loads_into_a_searchable_space(
    store: Store, fake: HashEmbedder, retriever: Retriever
) -> None:
    load_starter(store, fake)
    hits = retriever.search("satin bowerbird", ["terminal", "starter"], 3)
    assert hits[0].snippet.title == "Satin Bowerbird's Blue Hoard"


# Sources that are not looked at


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hidden=st.sets(st.integers(0, 3)), query=st.sampled_from(WORDS), seed=st.integers(0, 9))
def test_nothing_comes_from_a_source_that_is_left_out(
    store: Store, fake: HashEmbedder, retriever: Retriever, hidden: set[int], query: str, seed: int
) -> None:
    collection = store.collection("terminal", "library")
    sources = [store.source(collection, "channel", str(n), f"#{n}") for n in range(4)]
    for n, source in enumerate(sources):  # all say the same: only what sets them apart keeps each
        add_drafts(store, fake, source, [replace(one, apart=f"channel {n}") for one in many(12)])
    without = frozenset(sources[n].id for n in hidden)
    filters = Filters(without_sources=without)
    for hits in (
        retriever.search(query, ["terminal"], 12, filters),
        retriever.sparks(query, ["terminal"], 12, Distance.MIXED, seed, filters),
    ):
        assert not {hit.snippet.source_id for hit in hits} & without
        assert bool(hits) == (len(hidden) < 4), "what others say too is still found"
    allowed = store.matching([collection], filters)
    assert allowed is None or len(allowed) == 12 * (4 - len(hidden))
