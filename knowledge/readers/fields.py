"""From loosely named fields to drafts: what CSV columns, JSON keys and Markdown front matter have in common.

People's exports call the same thing by many names ("Highlight", "note", "body"); this module knows the names, and turns
one record into one draft, or several where its text is long.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

from knowledge.readers.base import (
    AUTHOR_CHARACTERS,
    LICENCE_CHARACTERS,
    TEXT_CHARACTERS,
    TITLE_CHARACTERS,
    TOPIC_CHARACTERS,
    TOPICS,
    Refusal,
)
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import address_of, clean, shorten
from knowledge.readers.passages import has_words, opening_words, passages
from knowledge.types import Draft, Kind

# The names of each field, best first: a reading app's own words before a person's remarks on them.
_NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("text", "highlight", "quote", "quotation", "body", "content", "snippet", "passage", "excerpt", "description"),
        *("summary", "abstract", "abstract note", "note", "notes", "comment", "message", "idea", "annotation"),
    ),
    "title": ("title", "name", "headline", "heading", "subject", "book title", "document title"),
    "kind": ("kind", "type", "item type"),
    "topics": ("topics", "topic", "tags", "tag", "keywords", "categories", "category", "labels", "manual tags"),
    "date": ("date", "year", "publication year", "published", "highlighted at", "created", "created at", "when"),
    "author": ("author", "authors", "by", "creator", "book author", "artist", "user"),
    "address": ("source", "url", "address", "link", "href", "uri", "source url"),
    "licence": ("licence", "license", "rights"),
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names}
_RANK = {name: rank for names in _NAMES.values() for rank, name in enumerate(names)}

TEXT_NAMES = ", ".join((*_NAMES["text"][:4], "description", "note"))  # enough of them for a message

_SEPARATORS = re.compile(r"[\s_\-./]+")
_TOPIC_MARKS = re.compile(r"[,;|\n]|(?:^|\s)#")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?!\d)", re.ASCII)
_YEAR_ALONE = re.compile(r"(\d{1,4})(?:\.0)?", re.ASCII)
_YEAR_WITHIN = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)", re.ASCII)
_DAY_FORMATS = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%Y/%m/%d")
_MONTH_FORMATS = ("%B %Y", "%b %Y")
_DATE_CHARACTERS = 80
_RECORD_TEXT_CHARACTERS = 1_000_000  # of one record's text; past it a record is a book, and its beginning will do


def field_of(name: str) -> str | None:
    """The field that a column or key of this name holds ("text", "title", "topics", ...), or None."""
    return _FIELD_OF.get(_normal(name))


def drafts_of(record: Mapping[str, object], where: str) -> Iterator[Draft | Refusal]:
    """One record's drafts: one for a text of up to TEXT_CHARACTERS, several for a longer one; a refusal if it has none.

    record: values by whatever names they came with; strings, numbers and lists of these count, the rest is passed over.
    """
    values = _values(record)
    text = values.get("text", "")[:_RECORD_TEXT_CHARACTERS]
    whole = clean(text)
    if not whole:
        yield Refusal(where, f"has no text: Kindling looked for {TEXT_NAMES} and the like")
    elif not has_words(whole):
        yield Refusal(where, "has no words in its text")
    else:
        title = shorten(values.get("title", ""), TITLE_CHARACTERS)
        draft = _described(Draft(title=title or opening_words(whole), text=whole), values)
        if len(whole) <= TEXT_CHARACTERS:
            yield draft
        else:
            blocks = (
                Block(block, (title,) if title else ()) for part in _PARAGRAPHS.split(text) if (block := clean(part))
            )
            for passage in passages(blocks):
                yield replace(draft, title=passage.title, text=passage.text)


def described(draft: Draft, record: Mapping[str, object]) -> Draft:
    """`draft` with what the record says of kind, topics, date, author, address and licence, each within its limit."""
    return _described(draft, _values(record))


def _described(draft: Draft, values: Mapping[str, str]) -> Draft:
    return replace(
        draft,
        kind=_kind(values.get("kind", "")),
        topics=topics_of(values.get("topics", "")),
        date=iso_date(values.get("date", "")),
        author=shorten(values.get("author", ""), AUTHOR_CHARACTERS) or None,
        address=address_of(values.get("address", "")),
        licence=shorten(values.get("licence", ""), LICENCE_CHARACTERS) or None,
    )


def topics_of(text: str) -> tuple[str, ...]:
    """The topics in "birds, #colour; light", in lower case, each once, at most TOPICS."""
    parts = (shorten(part.strip(" #\"'[]").casefold(), TOPIC_CHARACTERS) for part in _TOPIC_MARKS.split(text[:4_000]))
    return tuple(dict.fromkeys(part for part in parts if part))[:TOPICS]


def iso_date(text: str) -> str | None:
    """The date in `text` as ISO 8601 with the precision it has: "1957", "2024-03", "2024-03-09". None if there is none.

    Dates such as 03/09/2024, which mean different days in different countries, keep their year alone.
    """
    text = clean(text[:_DATE_CHARACTERS])
    if not _YEAR_ALONE.search(text):
        return None
    if match := _YEAR_ALONE.fullmatch(text):
        return f"{int(match[1]):04}" if int(match[1]) else None
    if match := _ISO_DATE.match(text):
        year, month, day = match[1], int(match[2]), int(match[3] or 1)
        try:
            date(int(year), month, day)
        except ValueError:
            return year if int(year) else None
        return f"{year}-{month:02}-{day:02}" if match[3] else f"{year}-{month:02}"
    for formats, shape in ((_DAY_FORMATS, "%Y-%m-%d"), (_MONTH_FORMATS, "%Y-%m")):
        for pattern in formats:
            try:
                return datetime.strptime(text, pattern).strftime(shape)
            except ValueError:
                continue
    match = _YEAR_WITHIN.search(text)
    return match[1] if match else None


def _values(record: Mapping[str, object]) -> dict[str, str]:
    """The record's values by field; where several names mean one field, the best name with something in it."""
    values: dict[str, str] = {}
    for name in sorted(record, key=lambda name: _RANK.get(_normal(name), 0)):
        field = field_of(name)
        if field and not values.get(field):
            values[field] = _plain(record[name])
    return values


def _normal(name: str) -> str:
    return _SEPARATORS.sub(" ", clean(name[:200])).strip().casefold()


def _plain(value: object) -> str:
    """A scalar as text, a list of scalars joined by commas, anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() else ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else ""
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return ", ".join(item for item in value if isinstance(item, str))
    return ""


def _kind(text: str) -> Kind:
    try:
        return Kind(text.strip().casefold())
    except ValueError:
        return Kind.NOTE
