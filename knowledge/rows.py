"""Between the values of `knowledge` and the rows of the store: columns, blobs, conditions. It touches no database."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import BadInput
from knowledge.types import Collection, Draft, Filters, Kind, Snippet

Rows: TypeAlias = Sequence[tuple[Any, ...]]

_COLUMNS = "id, collection_id, source_id, title, text, kind, topics, date, author, address, licence"
SNIPPETS_BY_ID = f"SELECT {_COLUMNS} FROM snippets WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608 (constants)
SNIPPETS_WITHOUT_VECTOR = f"""
    SELECT {_COLUMNS} FROM snippets WHERE collection_id = ? AND NOT EXISTS
    (SELECT 1 FROM vectors WHERE snippet_id = snippets.id AND embedder = ?) ORDER BY id
"""  # noqa: S608 (constants)
INSERT_SNIPPET = (
    "INSERT INTO snippets (collection_id, source_id, content_hash, title, text, kind, topics, date, author, address,"
    " licence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

_ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_STORED_VECTOR = np.dtype("<f4")


def content_hash(draft: Draft) -> str:
    """What a draft says, as 32 hexadecimal digits: its title and text, whatever their Unicode form and white space.

    What sets it apart from others that say the same goes in as well.
    """
    parts = (draft.title, draft.text, *((draft.apart,) if draft.apart else ()))
    said = (" ".join(unicodedata.normalize("NFC", part).split()) for part in parts)
    return hashlib.blake2b("\x00".join(said).encode("utf-8", "replace"), digest_size=16).hexdigest()


def draft_columns(draft: Draft) -> tuple[str | None, ...]:
    """A draft as the last columns of INSERT_SNIPPET, the hash of its content first."""
    topics = json.dumps(draft.topics, ensure_ascii=False)
    columns = (
        draft.title,
        draft.text,
        draft.kind.value,
        topics,
        draft.date,
        draft.author,
        draft.address,
        draft.licence,
    )
    return (content_hash(draft), *(_storable(column) for column in columns))


def as_snippet(row: tuple[Any, ...]) -> Snippet:
    """A row of one of the SNIPPETS statements as a value."""
    snippet_id, collection_id, source_id, title, text, kind, topics, *rest = row
    return Snippet(snippet_id, collection_id, source_id, title, text, Kind(kind), tuple(json.loads(topics)), *rest)


def as_json(ids: Iterable[int]) -> str:
    """Ids as one value, for `IN (SELECT value FROM json_each(?))`: a statement takes only so many values."""
    return json.dumps([int(snippet_id) for snippet_id in ids])


def as_blobs(vectors: NDArray[np.float32], count: int) -> list[bytes]:
    """`count` vectors, rows of length 1 of an array of shape (count, d), as little-endian float32.

    Raises:
        ValueError: the shape or a length is wrong.
    """
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"expected {count} vectors as rows, got an array of shape {vectors.shape}")
    # The tolerance admits embedders that compute in half precision.
    if count and not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-2):
        raise ValueError("vectors must be of length 1")
    return [row.tobytes() for row in np.ascontiguousarray(vectors, dtype=_STORED_VECTOR)]


def as_arrays(rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Rows of (id, blob) as ids of shape (n,) and vectors of shape (n, d); (0,) and (0, 0) when there are none."""
    if not rows:
        return np.empty(0, np.int64), np.empty((0, 0), np.float32)
    ids = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
    flat = np.frombuffer(b"".join(row[1] for row in rows), dtype=_STORED_VECTOR)
    return ids, flat.reshape(len(rows), -1).astype(np.float32)


def conditions(collections: Iterable[Collection], filters: Filters) -> tuple[str, list[object]]:
    """An SQL condition on `snippets AS s` and its values.

    Dates of different precision are compared on the digits that both have: "1957" may lie in, and so passes,
    since="1957-06". A snippet without a date passes no date filter.

    Raises:
        BadInput: `since` or `until` is no date.
    """
    terms = ["s.collection_id IN (SELECT value FROM json_each(?))"]
    values: list[object] = [as_json(collection.id for collection in collections)]
    if filters.kinds:
        terms.append("s.kind IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(filters.kinds)))
    if filters.topics:
        terms.append("s.id IN (SELECT snippet_id FROM snippet_topics WHERE topic IN (SELECT value FROM json_each(?)))")
        values.append(json.dumps(sorted(filters.topics)))
    if filters.without_sources:
        terms.append("s.source_id NOT IN (SELECT value FROM json_each(?))")
        values.append(as_json(sorted(filters.without_sources)))
    for bound, comparison in ((filters.since, ">="), (filters.until, "<=")):
        if bound is not None:
            if not _ISO_DATE.fullmatch(bound):
                raise BadInput(f"{bound!r} is no date; write it like 2024, 2024-03 or 2024-03-09")
            terms.append(f"substr(s.date, 1, length(?)) {comparison} substr(?, 1, length(s.date))")
            values += [bound, bound]
    return " AND ".join(terms), values


def _storable(text: str | None) -> str | None:
    """SQLite keeps UTF-8, which has no lone surrogates; they become question marks."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")
