"""Web pages: the main text without menus, advertisements and comments, with title, author, date, address and licence.

The main text is found by trafilatura (A. Barbaresi, "Trafilatura: A Web Scraping Library", ACL 2021).
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from knowledge.errors import ReadError
from knowledge.fetching.addresses import is_web_address, joined, same_site
from knowledge.readers.articles import drafts_of_article
from knowledge.readers.base import AUTHOR_CHARACTERS, LICENCE_CHARACTERS, TITLE_CHARACTERS, Refusal
from knowledge.readers.decoding import address_of, shorten
from knowledge.readers.fields import iso_date, topics_of
from knowledge.readers.markup import Piece, html_tree, local_name, markup_text, pieces, under_titles
from knowledge.types import Draft

if TYPE_CHECKING:
    from lxml.etree import _Element

PAGE_BYTES = 4 * 2**20
PAGE_TAGS = 60_000  # trafilatura takes time and memory with them: some four seconds for so many
THOROUGH_CHARACTERS = 400_000  # longer pages are read the quick way
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml"})
_HEAD_CHARACTERS = 500_000
_ONE_AT_A_TIME = threading.Lock()  # what is logged and warned of is one setting for all threads
_RENDERED = re.compile(r"h([1-6])")


class WebPageReader:
    """Reads HTML."""

    format = "HTML"
    suffixes = frozenset({".html", ".htm", ".xhtml"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        text = markup_text(stream, PAGE_BYTES, "a web page")
        if text.count("<") > PAGE_TAGS:
            raise ReadError(f"holds more than {PAGE_TAGS:,} tags: save what matters of it as text")
        base = name if is_web_address(name) else ""
        with _ONE_AT_A_TIME:
            found = _extracted(text, base)
        if found is None or len(found.body) == 0:
            raise ReadError("holds no main text: it may be a list of links, or need a browser to show itself")
        said = {relation: href for relation, _, href in _links(text) if relation in ("canonical", "license")}
        address = address_of(_address(said.get("canonical") or found.url, base))
        about = Draft(
            title=shorten(found.title or "", TITLE_CHARACTERS),
            text="",
            topics=topics_of(", ".join(found.tags or found.categories or ())),
            date=iso_date(found.date or ""),
            author=shorten(found.author or "", AUTHOR_CHARACTERS) or None,
            address=address,
            licence=shorten(found.license or said.get("license", ""), LICENCE_CHARACTERS) or None,
        )
        yield from drafts_of_article(about, under_titles(_pieces(found.body)))


def feed_of(text: str, base: str) -> str | None:
    """The address of the feed that a page says it has; the first, if it names several."""
    feeds = (href for relation, kind, href in _links(text) if relation == "alternate" and kind in _FEED_TYPES)
    return next((joined(base, href) for href in feeds), None)


def _links(text: str) -> Iterator[tuple[str, str, str]]:
    """What the page's head links to: relation and type in lower case, and address as it stands there."""
    root = html_tree(text[:_HEAD_CHARACTERS])
    for link in root.iter("link") if root is not None else ():
        relation, kind, href = (link.get(name) or "" for name in ("rel", "type", "href"))
        yield relation.strip().lower(), kind.strip().lower(), href


def _extracted(text: str, base: str) -> Any:
    """What trafilatura finds; None when that is nothing. On damaged pages it may raise anything, and that is told."""
    quiet = logging.getLogger("trafilatura"), logging.getLogger("htmldate"), logging.getLogger("courlan")
    levels = [log.level for log in quiet]
    for log in quiet:
        log.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(action="ignore"):
            import trafilatura  # which warns of a package that Kindling has no use for

            return trafilatura.bare_extraction(
                text,
                url=base or None,
                fast=len(text) > THOROUGH_CHARACTERS,
                include_comments=False,
                include_tables=True,
                with_metadata=True,
                date_extraction_params={"original_date": True, "extensive_search": False},
            )
    except Exception as error:
        raise ReadError(f"cannot be read as HTML: {shorten(str(error) or type(error).__name__, 100)}") from error
    finally:
        for log, level in zip(quiet, levels, strict=True):
            log.setLevel(level)


def _address(canonical: str | None, base: str) -> str:
    """The page's address: the one it calls canonical, if that is on the same site; a page must not pass for another."""
    whole = joined(base, canonical) if canonical else None
    if whole and (not base or same_site(whole, base)):
        return whole
    return base


def _pieces(body: _Element) -> Iterator[Piece]:
    """trafilatura's tree as pieces. It calls a heading `head` and says which in `rend`, where HTML says h1 to h6."""
    for element in body.iter("head"):
        rendered = _RENDERED.match(element.get("rend") or "")
        element.tag = f"h{rendered[1]}" if rendered else "h2"
    for element in list(body.iter()):
        if local_name(element) in ("graphic", "code"):
            element.tag = "noscript"
    return pieces(body)
