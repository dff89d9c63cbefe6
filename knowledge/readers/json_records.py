"""JSON: one array of records, or an object that holds some, as exports of Are.na, Readwise and the like are.

Records may be nested: a book with its highlights, a channel with its blocks. What an outer one says (title, author,
link) holds for the inner ones, which do not say it themselves; the keys are matched leniently, see `fields`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import MAX_RECORDS, Refusal
from knowledge.readers.decoding import encoding_of
from knowledge.readers.fields import drafts_of, field_of
from knowledge.types import Draft

DOCUMENT_BYTES = 16 * 2**20  # its values take some ten times that in memory
DEEPEST = 8
_INHERITED = frozenset({"title", "author", "address", "licence"})
# What is an object in some exports and a plain value in others: the part of the object that counts.
_WITHIN = ("url", "full_name", "fullName", "name", "username", "title", "html", "plain", "markdown", "content")


class JsonReader:
    """Reads JSON."""

    format = "JSON"
    suffixes = frozenset({".json"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        encoding = encoding_of(stream)
        data = stream.read(DOCUMENT_BYTES + 1)
        if len(data) > DOCUMENT_BYTES:
            raise ReadError(f"is larger than {DOCUMENT_BYTES // 2**20} MB, too large for JSON: save it as JSON Lines")
        try:
            value = json.loads(data.decode(encoding, "replace").removeprefix("\ufeff"))
        except RecursionError:
            raise ReadError("is nested too deeply") from None
        except json.JSONDecodeError as error:
            why = error.msg.removesuffix(" at")
            raise ReadError(f"is not valid JSON: {why}, line {error.lineno} column {error.colno}") from None
        except ValueError:
            raise ReadError("holds a number of too many digits") from None
        found = 0
        for number, record in enumerate(_records(value, {}, DEEPEST), start=1):
            yield from drafts_of(record, f"record {number}")
            found += 1
        if not found and not (isinstance(value, (dict, list)) and not value):
            raise ReadError('holds no records with a text: one looks like {"title": "...", "text": "..."}')


def _records(value: object, above: Mapping[str, object], depth: int) -> Iterator[Mapping[str, object]]:
    """The records in a value, each with what those above it say. A record is an object with a text of its own."""
    if isinstance(value, str) and depth == DEEPEST - 1:
        yield {"text": value}
    elif isinstance(value, list) and depth:
        for item in value[:MAX_RECORDS]:
            yield from _records(item, above, depth - 1)
    elif isinstance(value, dict) and depth:
        own = {key: _plain(item) for key, item in value.items() if not _holds_records(item)}
        inner = [item for item in value.values() if _holds_records(item)]
        record = {**above, **{key: item for key, item in own.items() if item not in (None, "", [])}}
        fields = {field_of(key) for key, item in own.items() if isinstance(item, str) and item.strip()}
        # An outer record's text describes the whole ("All about boats"): worth keeping, too.
        if "text" in fields:
            yield record
        passed_on = {key: item for key, item in record.items() if field_of(key) in _INHERITED}
        for item in inner:
            yield from _records(item, passed_on, depth - 1)


def _holds_records(value: object) -> bool:
    """Whether a value is a list of objects, and not of tags, or an object that holds such a list."""
    if isinstance(value, list):
        return any(isinstance(item, dict) and not _is_label(item) for item in value[:100])
    return isinstance(value, dict) and any(isinstance(item, list) for item in value.values())


def _is_label(item: Mapping[str, object]) -> bool:
    """Whether an object is a name with a number, such as a tag: nothing in it is a text, or holds more objects."""
    return "text" not in {field_of(key) for key in item} and not any(map(_holds_records, item.values()))


def _plain(value: object) -> object:
    """A value as `fields` reads it: of an object the part that counts, of objects in a list theirs."""
    if isinstance(value, Mapping):
        parts = (value[key] for key in _WITHIN if isinstance(value.get(key), str) and value[key])
        return next(parts, None)
    if isinstance(value, list):
        return [part for part in map(_plain, value[:100]) if isinstance(part, str)]
    return value
