"""E-books in EPUB: the chapters in the order of reading, with the book's title, author, date and rights.

An EPUB is a ZIP archive of XHTML (EPUB 3.3, W3C). Nothing of it is ever written to a disk; what it unpacks to is
counted while it is unpacked, whatever its directory claims.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from knowledge.errors import ReadError
from knowledge.readers.base import AUTHOR_CHARACTERS, LICENCE_CHARACTERS, TITLE_CHARACTERS, Refusal
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import shorten
from knowledge.readers.fields import iso_date, topics_of
from knowledge.readers.markup import html_tree, local_name, markup_text, pieces, under_titles, xml_tree
from knowledge.readers.passages import passages
from knowledge.types import Draft

if TYPE_CHECKING:
    from lxml.etree import _Element

PART_BYTES = 4 * 2**20  # of one chapter, unpacked; a long novel in one piece has 3 MB
BOOK_BYTES = 64 * 2**20  # of all that is unpacked
DIRECTORY_BYTES = 2**20  # of the archive's list of files: some 15,000
CHAPTERS = 2_000
MARK = b"PK\x03\x04"
_END_MARK = b"PK\x05\x06"
_END_BYTES = 22
_COMMENT_BYTES = 65_536
_HIDES_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class EpubReader:
    """Reads EPUB."""

    format = "EPUB"
    suffixes = frozenset({".epub"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        book = _Book(stream)
        about = book.about()
        refusals: list[Refusal] = []
        empty = True
        for passage in passages(_blocks(book, about.title, refusals)):
            yield replace(about, title=passage.title, text=passage.text)
            empty = False
        if empty and refusals:
            raise ReadError(f"cannot be read: {refusals[0].where} {refusals[0].why}")
        yield from refusals


class _Book:
    """An open archive, what it has unpacked so far, and its package document."""

    def __init__(self, stream: BinaryIO) -> None:
        _check_directory(stream)
        try:
            self._archive = zipfile.ZipFile(stream)
            self._names = frozenset(self._archive.namelist())
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as error:
            raise ReadError("cannot be read as EPUB: its archive is damaged") from error
        self._unpacked = 0
        container = self.tree("META-INF/container.xml")
        places = [element.get("full-path") or "" for element in container.iter("{*}rootfile")]
        if not places:
            raise ReadError("is no EPUB: it names no package")
        self._folder = posixpath.dirname(places[0])
        self._package = self.tree(places[0])

    def about(self) -> Draft:
        """What the package says of the book, as a draft without text."""
        said: dict[str, list[str]] = {}
        for element in self._package.iter("{http://purl.org/dc/elements/1.1/}*"):
            said.setdefault(local_name(element), []).append(" ".join(element.itertext())[:2_000])
        return Draft(
            title=shorten(next(iter(said.get("title", [])), ""), TITLE_CHARACTERS),
            text="",
            topics=topics_of(", ".join(said.get("subject", [])[:30])),
            date=iso_date(next(iter(said.get("date", [])), "")),
            author=shorten(", ".join(said.get("creator", [])[:10]), AUTHOR_CHARACTERS) or None,
            licence=shorten(next(iter(said.get("rights", [])), ""), LICENCE_CHARACTERS) or None,
        )

    def chapters(self) -> list[str]:
        """The paths of the chapters, in the order of reading."""
        manifest = {
            element.get("id"): element
            for element in self._package.iter("{*}item")
            if "html" in (element.get("media-type") or "") and "nav" not in (element.get("properties") or "").split()
        }
        spine = (element.get("idref") for element in self._package.iter("{*}itemref") if element.get("linear") != "no")
        found = [manifest[number].get("href") or "" for number in spine if number in manifest]
        paths = [posixpath.normpath(posixpath.join(self._folder, unquote(href.partition("#")[0]))) for href in found]
        return list(dict.fromkeys(paths))[:CHAPTERS]

    def locked(self) -> frozenset[str]:
        """The paths of what is encrypted; fonts that are merely hidden do not count."""
        if "META-INF/encryption.xml" not in self._names:
            return frozenset()
        found = set()
        for data in self.tree("META-INF/encryption.xml").iter("{*}EncryptedData"):
            ways = [element.get("Algorithm") for element in data.iter("{*}EncryptionMethod")]
            if not any(way in _HIDES_FONTS for way in ways):
                found |= {unquote(element.get("URI") or "") for element in data.iter("{*}CipherReference")}
        return frozenset(found)

    def tree(self, path: str) -> _Element:
        """One of its XML documents. Raises ReadError."""
        return xml_tree(self.text(path))

    def text(self, path: str) -> str:
        """One of its documents, decoded. Raises ReadError."""
        if path not in self._names:
            raise ReadError(f"lacks {shorten(path, 60)}, which it says it has")
        try:
            with self._archive.open(path) as packed:
                data = packed.read(PART_BYTES + 1)
        except RuntimeError as error:  # zipfile's word for a password
            raise ReadError("is encrypted") from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
        ) as error:
            raise ReadError("is damaged within its archive") from error
        self._unpacked += len(data)
        if len(data) > PART_BYTES or self._unpacked > BOOK_BYTES:
            raise ReadError("unpacks to more than a book ever needs")
        return markup_text(io.BytesIO(data), PART_BYTES, "a chapter")


def _blocks(book: _Book, title: str, refusals: list[Refusal]) -> Iterator[Block]:
    titles = (title,) if title else ()
    locked = book.locked()
    chapters = book.chapters()
    if not chapters:
        raise ReadError("is no EPUB that can be read: it lists no chapters")
    for number, path in enumerate(chapters, start=1):
        where = f"part {number}"
        if path in locked:
            refusals.append(Refusal(where, "is locked by copy protection"))
            continue
        try:
            text = book.text(path)
            found = list(under_titles(pieces(xml_tree(text)), titles))
            if not found and (root := html_tree(text)) is not None:
                found = list(under_titles(pieces(root), titles))
        except ReadError as error:
            refusals.append(Refusal(where, str(error)))
            continue
        yield from found


def _check_directory(stream: BinaryIO) -> None:
    """Raise ReadError when the archive's list of files is missing or longer than a book's: it is read whole."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
    tail = stream.read(_END_BYTES + _COMMENT_BYTES)
    stream.seek(0)
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise ReadError("cannot be read as EPUB: its archive is damaged")
    (directory,) = struct.unpack_from("<I", tail, at + 12)
    if directory > DIRECTORY_BYTES:
        raise ReadError("is an archive of far more files than a book has")
