"""PDF: the text of its pages becomes passages that name their page; running heads and page numbers are left out.

Parsed by pypdf. A PDF is a drawing, so paragraphs are told from line lengths and sentence ends. One file can unpack to
thousands of times its size: pypdf's own limits are set low here, and pages and characters are counted.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import AUTHOR_CHARACTERS, TITLE_CHARACTERS, Refusal
from knowledge.readers.decoding import shorten
from knowledge.readers.fields import iso_date
from knowledge.readers.pages import Page, paragraphs
from knowledge.readers.passages import passages
from knowledge.readers.prose import under_headings
from knowledge.types import Draft

if TYPE_CHECKING:
    import pypdf

PAGES = 3_000
PAGE_CHARACTERS = 100_000  # a dense broadsheet page has about 20,000
_DOCUMENT_SECONDS = 300  # an ordinary page takes a few hundredths of a second
_STREAM_BYTES = 16 * 1024 * 1024  # of one drawing, unpacked
_PARSING_STEPS = 500_000  # of one drawing: a page of text takes some thousands
_FORMS = 200  # drawings within a page, which may contain one another
_OPERATIONS = 1_000_000  # of one page, those of its forms included

_NO_TITLE = re.compile(r"microsoft word|untitled|\.(?:docx?|indd|pdf|tex|qxd|rtf|odt)\Z", re.IGNORECASE)
_CREATED = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?", re.ASCII)


class PdfReader:
    """Reads PDF."""

    format = "PDF"
    suffixes = frozenset({".pdf"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        document = _opened(stream)
        about = _about(document)
        titles = (about.title,) if about.title else ()
        refusals: list[Refusal] = []  # given last: pages are read ahead of the passages that they end up in
        empty = True
        for passage in passages(under_headings(paragraphs(_pages(document, refusals), name), titles)):
            yield replace(about, title=passage.title, text=passage.text, address=passage.address)
            empty = False
        if empty and refusals:
            raise ReadError(f"is damaged: {refusals[0].where} {refusals[0].why}")
        if empty:
            raise ReadError("holds no text that can be read: scanned pages need text recognition (OCR) first")
        yield from refusals
        if _page_count(document) > PAGES:
            raise ReadError(f"has more than {PAGES:,} pages: the rest was not read, split it")


@contextmanager
def _pypdf() -> Iterator[None]:
    """pypdf with low limits and without its remarks on how a file is built.

    Whatever it raises comes out as ReadError: on damaged files that may be any exception. A generator must not yield
    inside, for the limits would then hold for its caller.
    """
    import pypdf

    log = logging.getLogger("pypdf")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    limits = pypdf.apply_configuration(
        array_based_stream_maximum_output_length=_STREAM_BYTES,
        lzw_maximum_output_length=_STREAM_BYTES,
        run_length_maximum_output_length=_STREAM_BYTES,
        zlib_maximum_output_length=_STREAM_BYTES,
        stream_parsing_work_maximum_count=_PARSING_STEPS,
        xform_maximum_invocations_per_extraction=_FORMS,
        jbig2dec_binary=None,
    )
    try:
        with warnings.catch_warnings(action="ignore"), limits:
            yield
    except ReadError:
        raise
    except pypdf.errors.LimitReachedError as error:
        raise ReadError("unpacks to more than a page of text ever needs") from error
    except Exception as error:
        reason = shorten(str(error) or type(error).__name__, 100)
        raise ReadError(f"cannot be read as PDF: {reason}") from error
    finally:
        log.setLevel(level)


def _opened(stream: BinaryIO) -> pypdf.PdfReader:
    with _pypdf():
        from pypdf import PdfReader
        from pypdf.errors import DependencyError

        document = PdfReader(stream, strict=False)
        try:
            # Many a file is encrypted with an empty password, only to forbid printing.
            locked = document.is_encrypted and not document.decrypt("")
        except (DependencyError, NotImplementedError):
            locked = True
        if locked:
            raise ReadError("is encrypted: save a copy without a password")
        len(document.pages)  # or a broken page tree would show only later
        return document


def _page_count(document: pypdf.PdfReader) -> int:
    with _pypdf():
        return len(document.pages)


def _about(document: pypdf.PdfReader) -> Draft:
    """What the metadata says of the document, as a draft without text. Damaged metadata says nothing."""
    try:
        with _pypdf():
            said = {key: str(value) for key, value in (document.metadata or {}).items() if isinstance(value, str)}
    except ReadError:
        said = {}
    title = shorten(said.get("/Title", ""), TITLE_CHARACTERS)
    day = _CREATED.match(said.get("/CreationDate", ""))
    return Draft(
        title="" if _NO_TITLE.search(title) else title,
        text="",
        author=shorten(said.get("/Author", ""), AUTHOR_CHARACTERS) or None,
        date=iso_date("-".join(part for part in day.groups() if part)) if day else None,
    )


def _pages(document: pypdf.PdfReader, refusals: list[Refusal]) -> Iterator[Page]:
    """The pages' lines; a page that cannot be read goes to `refusals`."""
    give_up = time.monotonic() + _DOCUMENT_SECONDS
    for number in range(1, min(_page_count(document), PAGES) + 1):
        if time.monotonic() > give_up:
            raise ReadError(f"took longer than {_DOCUMENT_SECONDS} seconds: reading stopped at page {number}")
        try:
            text = _page_text(document, number)
        except ReadError as error:
            refusals.append(Refusal(f"page {number}", str(error)))
            continue
        if len(text) > PAGE_CHARACTERS:
            why = f"holds more than {PAGE_CHARACTERS:,} characters: the rest is left out"
            refusals.append(Refusal(f"page {number}", why))
        yield Page(number, tuple(text[:PAGE_CHARACTERS].splitlines()))


def _page_text(document: pypdf.PdfReader, number: int) -> str:
    from pypdf.errors import LimitReachedError

    operations = 0

    def count(*_: object) -> None:
        nonlocal operations
        operations += 1
        if operations > _OPERATIONS:
            raise LimitReachedError

    with _pypdf():
        text: str = document.pages[number - 1].extract_text(visitor_operand_before=count)
    return text
