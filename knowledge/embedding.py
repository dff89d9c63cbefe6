"""From drafts to snippets with vectors in the store: the only place where embedder and store meet."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.embedder import Embedder, Progress
from knowledge.store import Added, Store
from knowledge.types import Collection, Draft, Snippet, Source

COMMIT_EVERY = 256  # texts embedded between two commits: what a kill can cost


def passage(of: Draft | Snippet) -> str:
    """What is embedded of a snippet. A change here must change every embedder's name: stored vectors would be stale."""
    return f"{of.title}. {of.text}" if of.title else of.text


def add_drafts(
    store: Store, embedder: Embedder, source: Source, drafts: Sequence[Draft], progress: Progress | None = None
) -> Added:
    """Embed and add those of `drafts` that the source's collection does not hold, a commit every COMMIT_EVERY.

    Killed half-way, it leaves what was committed, and the same call completes the work.

    Raises:
        StoreError: also when the source was removed meanwhile. EmbedderError: not enough memory.
    """
    collection = Collection(source.collection_id, "", "")
    fresh = store.unknown(collection, drafts)
    ids: list[int] = []
    for start in range(0, len(fresh), COMMIT_EVERY):
        batch = fresh[start : start + COMMIT_EVERY]
        vectors = embedder.embed([passage(draft) for draft in batch], _shifted(progress, start, len(fresh)))
        ids += store.add(source, batch, vectors, embedder.name).ids
    return Added(tuple(ids), len(drafts) - len(ids))


def embed_missing(store: Store, embedder: Embedder, collection: Collection, progress: Progress | None = None) -> int:
    """Give a vector to every snippet of the collection that has none of this embedder; returns how many got one.

    That is every snippet after the embedder was changed, and none otherwise. Killed half-way, the same call goes on.
    """
    missing = store.without_vectors(collection, embedder.name)
    for start in range(0, len(missing), COMMIT_EVERY):
        batch = missing[start : start + COMMIT_EVERY]
        vectors = embedder.embed([passage(snippet) for snippet in batch], _shifted(progress, start, len(missing)))
        store.set_vectors([snippet.id for snippet in batch], vectors, embedder.name)
    return len(missing)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """A batch's progress, as that of the whole."""
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)
