"""Readers: one a format. `read` finds the one for a document and yields what it holds, within limits.

base       the seam: Reader, Refusal, limits
decoding   bytes -> clean lines
fields     loosely named fields -> drafts
prose      plain lines -> paragraphs under headings
pages      printed pages -> paragraphs
blocks     paragraphs and list items, and how scraps among them find company
passages   blocks -> passages and their titles
text, markdown, csv_rows, json_lines, pdf, clippings   the formats
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import MAX_FILE_BYTES, MAX_RECORDS, MAX_REFUSALS_ALONE, Reader, Refusal
from knowledge.readers.clippings import BEGINNING as CLIPPINGS_BEGINNING
from knowledge.readers.clippings import ClippingsReader
from knowledge.readers.csv_rows import CsvReader, header_of
from knowledge.readers.decoding import SNIFF_BYTES, encoding_of
from knowledge.readers.fields import field_of
from knowledge.readers.json_lines import JsonLinesReader
from knowledge.readers.markdown import MarkdownReader
from knowledge.readers.pdf import PdfReader
from knowledge.readers.text import TextReader
from knowledge.types import Draft

__all__ = ["READERS", "SUFFIXES", "Reader", "Refusal", "read", "reader_for"]

_TEXT, _MARKDOWN, _CSV, _JSON_LINES, _PDF = TextReader(), MarkdownReader(), CsvReader(), JsonLinesReader(), PdfReader()
_CLIPPINGS = ClippingsReader()

READERS: tuple[Reader, ...] = (_TEXT, _MARKDOWN, _CSV, _JSON_LINES, _PDF, _CLIPPINGS)
SUFFIXES: dict[str, Reader] = {suffix: reader for reader in READERS for suffix in reader.suffixes}

_PDF_MARK = b"%PDF-"
_PDF_MARK_WITHIN = 1024  # some programs put a few bytes before it
_MARKUP = re.compile(r"\s*(?:<!doctype|<html|<\?xml|\{\\rtf)", re.IGNORECASE)
_MARKDOWN_BEGINNING = re.compile(r"\s*(?:---\n[\w -]+:|#{1,6} \S)")


def read(stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
    """Yield what a document holds: drafts in its order, and a refusal for each part that could not be read.

    stream: seekable, binary; read as the iterator advances, and left open. name: the document's name or relative path,
    whose suffix tells the format; without a known suffix, its first bytes do.

    Raises ReadError, whose message says why without repeating `name`, when the document cannot be read at all or not to
    its end: in an unknown format, damaged, empty, too large. What was yielded before stands.
    """
    if stream.seek(0, 2) > MAX_FILE_BYTES:
        raise ReadError(f"is larger than {MAX_FILE_BYTES // 2**20} MB: split it")
    reader = reader_for(stream, name)
    stream.seek(0)
    drafts = refusals = 0
    for item in reader.read(stream, name):
        if drafts + refusals >= MAX_RECORDS:
            raise ReadError(f"holds more than {MAX_RECORDS:,} snippets: the rest was not read, split it")
        drafts += isinstance(item, Draft)
        refusals += isinstance(item, Refusal)
        yield item
        if not drafts and refusals >= MAX_REFUSALS_ALONE:
            raise ReadError(f"is not read as {reader.format}: its first {refusals:,} parts were all refused")
    if not drafts and not refusals:
        raise ReadError("holds no text that Kindling could use")


def reader_for(stream: BinaryIO, name: str) -> Reader:
    """The reader for a document: by its first bytes where they are unmistakable, by its suffix, else by its beginning.

    Raises ReadError when it is in no format that Kindling reads.
    """
    stream.seek(0)
    head = stream.read(SNIFF_BYTES)
    if _PDF_MARK in head[:_PDF_MARK_WITHIN]:
        return _PDF
    by_suffix = SUFFIXES.get(PurePath(name).suffix.lower())
    if by_suffix is not None and by_suffix is not _TEXT:
        return by_suffix
    beginning = head.decode(encoding_of(stream), "replace").replace("\r\n", "\n")
    if CLIPPINGS_BEGINNING.match(beginning):
        return _CLIPPINGS
    return by_suffix or _by_beginning(beginning)


def _by_beginning(text: str) -> Reader:
    if _MARKUP.match(text):
        raise ReadError("looks like a web page or a word processor's file: save it as text, Markdown, CSV or PDF")
    first_line = text.lstrip("\ufeff \t\r\n").partition("\n")[0]
    if first_line.startswith("{"):
        try:
            json.loads(first_line)
        except (ValueError, RecursionError):
            raise ReadError("looks like JSON: save it as JSON Lines, one object a line") from None
        return _JSON_LINES
    if _MARKDOWN_BEGINNING.match(text):
        return _MARKDOWN
    try:
        _, columns = header_of(first_line)
    except ReadError:
        return _TEXT
    known = {field_of(column) for column in columns} - {None}
    return _CSV if len(known) > 1 else _TEXT  # one alone may be a word of a sentence: "Text, as they say, is cheap."
