"""Kindle clippings: the "My Clippings.txt" in which an e-reader keeps what its owner marked and remarked.

Each clipping is the book with its author in brackets, a line beginning with a dash that says where and when, an empty
line, the passage, and a line of ten equals signs. The middle line is in the reader's language, so only figures and, in
English, the date are taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from knowledge.readers.base import Refusal
from knowledge.readers.decoding import whole_lines
from knowledge.readers.fields import drafts_of
from knowledge.types import Draft

LINE_CHARACTERS = 128 * 1024
CLIPPING_LINES = 1_000

BEGINNING = re.compile(r"\ufeff?[^\n]+\n- [^\n]+\n\s*\n(?:[^\n]*\n){0,200}?={10}\s")
_END = "=========="
_AUTHOR = re.compile(r"(.*\S)\s+\(([^()]+)\)\s*\Z")
_PAGE = re.compile(r"page (\d+)", re.IGNORECASE)
_DAY = re.compile(r"\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, \d{4}")


class ClippingsReader:
    """Reads Kindle clippings. Known by their beginning alone, for they are called .txt as any text is."""

    format = "Kindle clippings"
    suffixes: frozenset[str] = frozenset()

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        clipping: list[str] = []
        first = 1
        for number, line in whole_lines(stream, LINE_CHARACTERS):
            if line is not None and line.strip() == _END:
                yield from _clipping(clipping, f"line {first}")
                clipping, first = [], number + 1
            elif len(clipping) < CLIPPING_LINES:
                clipping.append(line or "")
        yield from _clipping(clipping, f"line {first}")


def _clipping(lines: list[str], where: str) -> Iterator[Draft | Refusal]:
    if not any(line.strip() for line in lines):
        return
    if len(lines) < 3 or not lines[1].startswith("- "):
        yield Refusal(where, "is no clipping: its second line should begin with a dash and say where it is from")
        return
    book, about, *passage = (line.strip() for line in lines)
    if not any(passage):
        return  # a bookmark
    with_author = _AUTHOR.match(book)
    title, author = with_author.groups() if with_author else (book, "")
    page, day = _PAGE.search(about), _DAY.search(about)
    record = {
        "title": title,
        "author": author,
        "text": "\n".join(passage),
        "source": f"{title}, page {page[1]}" if page else title,
        "date": day.group() if day else "",
    }
    yield from drafts_of(record, where)
