"""The starter collection: as shipped, and as it changes from version to version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from knowledge import starter
from knowledge.errors import ReadError
from knowledge.starter import load_starter, read_drafts
from knowledge.store import Store
from knowledge.types import Kind
from tests.knowledge.fakes import HashEmbedder

LINE = {"title": "A", "text": "Text.", "kind": "event", "topics": ["x"], "year": 1957, "source": "https://a.example"}


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data file in place of the shipped one."""
    monkeypatch.setattr(starter, "files", lambda _: tmp_path)
    return tmp_path / "snippets.jsonl"


def test_the_shipped_collection_is_whole(store: Store) -> None:
    fake = HashEmbedder()
    seen: list[tuple[int, int]] = []
    collection = load_starter(store, fake, lambda done, total: seen.append((done, total)))
    assert (collection.space, collection.name) == ("starter", "starter")
    snippets = store.snippets(store.ids(collection))
    assert len(snippets) == 1010
    assert sum(snippet.kind is Kind.TREND for snippet in snippets) == 223
    assert all(snippet.date for snippet in snippets if snippet.kind is Kind.TREND)
    assert all((snippet.address or "").startswith("https://") for snippet in snippets)
    assert {snippet.licence for snippet in snippets} == {"CC0-1.0"}
    assert seen[-1] == (1010, 1010)
    assert seen == sorted(seen)
    assert store.without_vectors(collection, fake.name) == []


def test_the_second_time_nothing_is_read_or_embedded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = HashEmbedder()
    collection = load_starter(store, fake)
    revision = store.revision(collection)
    fake.seen.clear()
    monkeypatch.setattr(starter, "read_drafts", None)
    assert load_starter(store, fake) == collection
    assert fake.seen == []
    assert store.revision(collection) == revision


def test_a_new_version_adds_removes_and_changes(store: Store, data: Path) -> None:
    fake = HashEmbedder()
    second, third = {**LINE, "title": "B"}, {**LINE, "title": "C"}
    data.write_text(lines(LINE, second, third))
    collection = load_starter(store, fake)
    before = {s.title: s.id for s in store.snippets(store.ids(collection))}
    fake.seen.clear()
    data.write_text(lines(LINE, {**second, "source": "https://b.example"}, {**LINE, "title": "D", "year": None}))
    load_starter(store, fake)
    after = {s.title: s for s in store.snippets(store.ids(collection))}
    assert set(after) == {"A", "B", "D"}
    assert after["A"].id == before["A"]
    assert after["B"].address == "https://b.example"
    assert after["D"].date is None
    assert after["A"].date == "1957"
    assert fake.seen == ["B. Text.", "D. Text."]


def test_what_someone_deleted_comes_back(store: Store, data: Path) -> None:
    fake = HashEmbedder()
    data.write_text(lines(LINE, {**LINE, "title": "B"}))
    collection = load_starter(store, fake)
    store.remove(store.ids(collection)[:1])
    load_starter(store, fake)
    assert store.count(collection) == 2


def test_a_load_that_was_cut_off_is_completed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(HashEmbedder):
        def embed(self, texts, progress=None):  # type: ignore[no-untyped-def]
            if self.seen:
                raise KeyboardInterrupt
            return super().embed(texts, progress)

    with pytest.raises(KeyboardInterrupt):
        load_starter(store, Killed())
    collection = store.collection("starter", "starter")
    half = store.count(collection)
    assert 0 < half < 1010
    fake = HashEmbedder()
    load_starter(store, fake)
    assert store.count(collection) == 1010
    assert len(fake.seen) == 1010 - half


def test_a_changed_embedder_embeds_all_again(store: Store, data: Path) -> None:
    data.write_text(lines(LINE, {**LINE, "title": "B"}))
    collection = load_starter(store, HashEmbedder("one"))
    ids = store.ids(collection)
    two = HashEmbedder("two", dimension=32)
    load_starter(store, two)
    assert store.ids(collection) == ids
    assert store.vectors(collection, "two")[1].shape == (2, 32)
    assert len(two.seen) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "no JSON"),
        ("", "no JSON"),
        ("[1]", "no object"),
        (json.dumps({**LINE, "title": ""}), "its title"),
        (json.dumps({**LINE, "text": 5}), "its text"),
        (json.dumps({k: v for k, v in LINE.items() if k != "source"}), "its source"),
        (json.dumps({**LINE, "topics": []}), "its topics"),
        (json.dumps({**LINE, "topics": ["a", 5]}), "a topic"),
        (json.dumps({**LINE, "kind": "miracle"}), "'miracle' is no kind"),
        (json.dumps({**LINE, "year": "1957"}), "its year"),
        (json.dumps({**LINE, "year": True}), "its year"),
        (json.dumps(LINE), "repeats line 1"),
    ],
)
def test_a_damaged_line_is_named(line: str, reason: str) -> None:
    with pytest.raises(ReadError, match=reason) as error:
        read_drafts(json.dumps(LINE) + "\n" + line + "\n")
    assert "line 2" in str(error.value)
    assert "\n" not in str(error.value)
