"""Readers: one a format. `read` finds the one for a document and yields what it holds, within limits.

base       the seam: Reader, Refusal, limits
decoding   bytes -> clean lines
fields     loosely named fields -> drafts
prose      plain lines -> paragraphs under headings
pages      printed pages -> paragraphs
markup     XML and HTML -> trees without surprises -> text
blocks     paragraphs and list items, and how scraps among them find company
passages   blocks -> passages and their titles
articles   one article -> drafts
text, markdown, csv_rows, json_lines, json_records, pdf, clippings, web_page, feed, opml, epub   the formats
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.fetching.addresses import is_web_address
from knowledge.readers.base import MAX_FILE_BYTES, MAX_RECORDS, MAX_REFUSALS_ALONE, Listed, Reader, Refusal
from knowledge.readers.clippings import BEGINNING as CLIPPINGS_BEGINNING
from knowledge.readers.clippings import ClippingsReader
from knowledge.readers.csv_rows import CsvReader, header_of
from knowledge.readers.decoding import SNIFF_BYTES, encoding_of
from knowledge.readers.epub import MARK as ZIP_MARK
from knowledge.readers.epub import EpubReader
from knowledge.readers.feed import ROOTS as FEED_ROOTS
from knowledge.readers.feed import FeedReader
from knowledge.readers.fields import field_of
from knowledge.readers.json_lines import JsonLinesReader
from knowledge.readers.json_records import JsonReader
from knowledge.readers.markdown import MarkdownReader
from knowledge.readers.markup import declared_encoding, root_name
from knowledge.readers.opml import OpmlReader
from knowledge.readers.pdf import PdfReader
from knowledge.readers.text import TextReader
from knowledge.readers.web_page import WebPageReader
from knowledge.types import Draft

__all__ = ["FORMATS", "READERS", "SUFFIXES", "Listed", "Reader", "Refusal", "read", "reader_for"]

_TEXT, _MARKDOWN, _CSV, _JSON_LINES, _PDF = TextReader(), MarkdownReader(), CsvReader(), JsonLinesReader(), PdfReader()
_CLIPPINGS, _JSON, _PAGE, _FEED, _OPML, _EPUB = (
    ClippingsReader(),
    JsonReader(),
    WebPageReader(),
    FeedReader(),
    OpmlReader(),
    EpubReader(),
)

READERS: tuple[Reader, ...] = (
    *(_TEXT, _MARKDOWN, _CSV, _JSON_LINES, _JSON, _PDF, _EPUB, _PAGE, _FEED, _OPML, _CLIPPINGS),
)
SUFFIXES: dict[str, Reader] = {suffix: reader for reader in READERS for suffix in reader.suffixes}
FORMATS = "text, Markdown, CSV, JSON, PDF, EPUB, HTML, RSS, Atom or OPML"  # for people
MEDIA_TYPES: dict[str, Reader] = {
    "text/html": _PAGE,
    "application/xhtml+xml": _PAGE,
    "application/rss+xml": _FEED,
    "application/atom+xml": _FEED,
    "application/rdf+xml": _FEED,
    "text/x-opml": _OPML,
    "application/pdf": _PDF,
    "application/epub+zip": _EPUB,
    "text/markdown": _MARKDOWN,
    "text/csv": _CSV,
    "application/json": _JSON,
    "application/x-ndjson": _JSON_LINES,
    "application/jsonl": _JSON_LINES,
    "text/plain": _TEXT,
}

_PDF_MARK = b"%PDF-"
_PDF_MARK_WITHIN = 1024  # some programs put a few bytes before it
_EPUB_WITHIN = 200  # the archive's first file says what it is
_MARKUP = re.compile(r"\s*(?:<!doctype|<html|<\?xml|\{\\rtf)", re.IGNORECASE)
_MARKDOWN_BEGINNING = re.compile(r"\s*(?:---\n[\w -]+:|#{1,6} \S)")


def read(stream: BinaryIO, name: str, media_type: str = "") -> Iterator[Draft | Refusal | Listed]:
    """Yield what a document holds: drafts in its order, and a refusal for each part that could not be read.

    stream: seekable, binary; read as the iterator advances, and left open. name: the document's name, relative path or
    address, whose suffix tells the format; without a known suffix, its first bytes do. media_type: what a server calls
    it.

    Raises ReadError, whose message says why without repeating `name`, when the document cannot be read at all or not to
    its end: in an unknown format, damaged, empty, too large. What was yielded before stands.
    """
    if stream.seek(0, 2) > MAX_FILE_BYTES:
        raise ReadError(f"is larger than {MAX_FILE_BYTES // 2**20} MB: split it")
    reader = reader_for(stream, name, media_type)
    stream.seek(0)
    drafts = refusals = listed = 0
    for item in reader.read(stream, name):
        if drafts + refusals >= MAX_RECORDS:
            raise ReadError(f"holds more than {MAX_RECORDS:,} snippets: the rest was not read, split it")
        drafts += isinstance(item, Draft)
        refusals += isinstance(item, Refusal)
        listed += isinstance(item, Listed)
        yield item
        if not drafts and refusals >= MAX_REFUSALS_ALONE:
            raise ReadError(f"is not read as {reader.format}: its first {refusals:,} parts were all refused")
    if not drafts and not refusals and not listed:
        raise ReadError("holds no text that Kindling could use")


def reader_for(stream: BinaryIO, name: str, media_type: str = "") -> Reader:
    """The reader for a document: by its first bytes where they are unmistakable, by its suffix or what a server calls
    it, else by its beginning.

    Raises ReadError when it is in no format that Kindling reads.
    """
    stream.seek(0)
    head = stream.read(SNIFF_BYTES)
    if _PDF_MARK in head[:_PDF_MARK_WITHIN]:
        return _PDF
    told = _told(name, media_type)
    if told is _EPUB or (head.startswith(ZIP_MARK) and b"epub+zip" in head[:_EPUB_WITHIN]):
        return _EPUB
    if told is not None and told not in (_TEXT, _PAGE, _FEED, _OPML, _JSON):
        return told
    beginning = head.decode(declared_encoding(head) or encoding_of(stream), "replace").replace("\r\n", "\n")
    if told is _JSON:
        return _JSON if "\n" not in beginning.strip() or _is_one_value(beginning) else _JSON_LINES
    root = root_name(beginning)
    if root in FEED_ROOTS and (told is not _PAGE or media_type):  # many a feed is served as a page
        return _FEED
    if root == "opml":
        return _OPML
    if told is not None and told is not _TEXT:
        return told
    if CLIPPINGS_BEGINNING.match(beginning):
        return _CLIPPINGS
    return told or _by_beginning(beginning, root)


def _told(name: str, media_type: str) -> Reader | None:
    """The reader for what a server calls the document, or for its name's suffix. "Text" may be many a thing."""
    by_type = MEDIA_TYPES.get(media_type)
    if by_type is not None and by_type is not _TEXT:
        return by_type
    path = name.partition("://")[2].partition("?")[0].partition("#")[0] if is_web_address(name) else name
    return SUFFIXES.get(PurePath(path).suffix.lower()) or by_type


def _is_one_value(beginning: str) -> bool:
    """Whether JSON is one value, rather than one a line: files of both kinds are called .json."""
    first_line = beginning.lstrip("\ufeff \t\r\n").partition("\n")[0]
    if first_line.startswith("["):
        return True
    try:
        json.loads(first_line)
    except (ValueError, RecursionError):
        return True
    return False


def _by_beginning(text: str, root: str | None) -> Reader:
    if root == "html":
        return _PAGE
    if _MARKUP.match(text):
        raise ReadError("looks like a word processor's file or XML of an unknown kind: save it as text, HTML or PDF")
    first_line = text.lstrip("\ufeff \t\r\n").partition("\n")[0]
    if first_line.startswith(("{", "[{")) or first_line.strip() == "[":
        return _JSON if _is_one_value(text) else _JSON_LINES
    if _MARKDOWN_BEGINNING.match(text):
        return _MARKDOWN
    try:
        _, columns = header_of(first_line)
    except ReadError:
        return _TEXT
    known = {field_of(column) for column in columns} - {None}
    return _CSV if len(known) > 1 else _TEXT  # one alone may be a word of a sentence: "Text, as they say, is cheap."
