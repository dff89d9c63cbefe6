"""The starter collection: 1,010 snippets that come with Kindling, so that the first brief finds something.

Their texts are CC0; each names the page where more is to be read. Here they are read, checked and put into the store.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import Any

from knowledge.embedder import Embedder, Progress
from knowledge.embedding import add_drafts, embed_missing
from knowledge.errors import ReadError
from knowledge.store import Store
from knowledge.types import Collection, Draft, Kind, Snippet, Source

SPACE = "starter"
NAME = "starter"

_FILE = "snippets.jsonl"
_FORM = 1  # grows when the same line makes another draft than before
_LICENCE = "CC0-1.0"
_FIELDS = {"title": str, "text": str, "kind": str, "topics": list, "source": str}


def load_starter(store: Store, embedder: Embedder, progress: Progress | None = None) -> Collection:
    """The starter collection, put into the store as this version of Kindling has it, with vectors of `embedder`.

    Quick when it is there already. A new version's file is compared with what is stored: what is new or was changed is
    added, what is no longer in it is removed. Killed half-way, the same call completes it.

    Raises:
        ReadError: a line of the file is not as it should be. StoreError, EmbedderError: as their names say.
    """
    data = files(__name__).joinpath(_FILE).read_bytes()
    digest = f"{_FORM}:{hashlib.sha256(data).hexdigest()}"
    collection = store.collection(SPACE, NAME)
    source = store.source(collection, "starter", "starter", "Kindling's starter collection")
    if store.digest(source) != digest:
        _bring_in(store, embedder, source, read_drafts(data.decode("utf-8", "replace")), progress)
        store.set_digest(source, digest)
    embed_missing(store, embedder, collection, progress)
    return collection


def _bring_in(store: Store, embedder: Embedder, source: Source, drafts: list[Draft], progress: Progress | None) -> None:
    """Make the source hold just these."""
    collection = Collection(source.collection_id, SPACE, NAME)
    current = set(drafts)
    stored = {as_draft(snippet): snippet.id for snippet in store.snippets(store.ids(collection))}
    if outdated := [snippet_id for draft, snippet_id in stored.items() if draft not in current]:
        store.remove(outdated)
    if new := [draft for draft in drafts if draft not in stored]:
        add_drafts(store, embedder, source, new, progress)


def read_drafts(text: str) -> list[Draft]:
    """The snippets of a JSON Lines text, each line an object with title, text, kind, topics, year or null, and source.

    Raises:
        ReadError: names the line that is not so, or that says what an earlier one says.
    """
    drafts: dict[Draft, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        draft = _draft(line, number)
        if drafts.setdefault(draft, number) != number:
            raise _refusal(number, f"it repeats line {drafts[draft]}")
    return list(drafts)


def as_draft(snippet: Snippet) -> Draft:
    """A stored snippet as the draft that it was made from."""
    return Draft(
        title=snippet.title,
        text=snippet.text,
        kind=snippet.kind,
        topics=snippet.topics,
        date=snippet.date,
        author=snippet.author,
        address=snippet.address,
        licence=snippet.licence,
    )


def _draft(line: str, number: int) -> Draft:
    try:
        record: Any = json.loads(line)
    except ValueError as error:
        raise _refusal(number, "it is no JSON") from error
    if not isinstance(record, dict):
        raise _refusal(number, "it is no object")
    for field, kind in _FIELDS.items():
        if not isinstance(record.get(field), kind) or not record[field]:
            raise _refusal(number, f"its {field} is missing, empty or of the wrong type")
    if record["kind"] not in set(Kind):
        raise _refusal(number, f"{record['kind']!r} is no kind of snippet")
    if not all(isinstance(topic, str) and topic for topic in record["topics"]):
        raise _refusal(number, "a topic is no text")
    year = record.get("year")
    if year is not None and (isinstance(year, bool) or not isinstance(year, int)):
        raise _refusal(number, "its year is no whole number")
    return Draft(
        title=record["title"],
        text=record["text"],
        kind=Kind(record["kind"]),
        topics=tuple(record["topics"]),
        date=None if year is None else f"{year:04d}",
        address=record["source"],
        licence=_LICENCE,
    )


def _refusal(number: int, reason: str) -> ReadError:
    return ReadError(f"the starter collection is damaged at line {number}: {reason}; install Kindling again")
