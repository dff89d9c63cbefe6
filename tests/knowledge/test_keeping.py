"""Keeping entries: whatever a feed does, the library has what each of its entries said last, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.readers.feed import Entry
from knowledge.sources.keeping import keep
from knowledge.store import Store
from knowledge.types import Draft
from tests.knowledge.fakes import HashEmbedder

WORDS = st.sampled_from(["lamp", "bench", "door", "tide", "clock"])
STATES = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(WORDS, min_size=1, max_size=3, unique=True), max_size=6),
    max_size=6,
)


def entry(key: str, words: list[str]) -> Entry:
    return Entry(key, tuple(Draft(key, f"{word} of {key}", address=f"https://{key}.example") for word in words))


@settings(deadline=None, max_examples=40)
@given(states=STATES)
def test_the_library_has_what_each_entry_said_last(states: list[dict[str, list[str]]]) -> None:
    embedder = HashEmbedder()
    said: dict[str, list[str]] = {}
    with TemporaryDirectory() as folder, Store(Path(folder) / "kindling.db") as store:
        collection = store.collection("s", "own")
        source = store.source(collection, "feed", "https://f.example", "F")
        for state in states:
            entries = [entry(key, words) for key, words in state.items()]
            list(keep(store, embedder, None, source, entries))
            said |= state
            snippets = store.snippets(store.ids(collection))
            assert sorted(one.text for one in snippets) == sorted(
                f"{w} of {key}" for key, ws in said.items() for w in ws
            )
            assert store.db.execute("SELECT count(*) FROM entry_snippets").fetchone()[0] == len(snippets)
            embedded = len(embedder.seen)
            for step in keep(store, embedder, None, source, entries):
                assert step.unchanged and not step.added
            assert len(embedder.seen) == embedded  # what is there is not embedded again
        store.remove_source(source)
        assert store.db.execute("SELECT count(*) FROM entries").fetchone()[0] == 0
