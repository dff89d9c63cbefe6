"""From an address to what is there now. It fetches and reads; it knows no store."""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from knowledge import readers
from knowledge.errors import ReadError
from knowledge.fetching import Fetched, Fetcher
from knowledge.fetching.addresses import key_of, read_address
from knowledge.readers.base import ADDRESS_CHARACTERS, Listed, Refusal
from knowledge.readers.decoding import SNIFF_BYTES, encoding_of
from knowledge.readers.feed import Entry, FeedReader, read_feed
from knowledge.readers.web_page import WebPageReader, feed_of
from knowledge.types import Draft

FEED, PAGE, LIST = "feed", "page", "list"  # the kinds of what may be at an address; the first two are kinds of sources


@dataclass(frozen=True, slots=True)
class Harvest:
    """What an address holds.

    kind: FEED, PAGE (any single document) or LIST (of feeds). address: what the source is known by. entries: a page is
    one. listed: the feeds of a list. follows: the feed that a page says it has. refused: what could not be read of it,
    a line each. changed: False when it is as it was at the marks that were sent; then it holds nothing. etag,
    last_modified: the marks to send next time.
    """

    kind: str
    address: str
    title: str
    entries: tuple[Entry, ...] = ()
    listed: tuple[Listed, ...] = ()
    follows: str | None = None
    refused: tuple[str, ...] = ()
    changed: bool = True
    etag: str | None = None
    last_modified: str | None = None


def harvest(
    fetcher: Fetcher,
    address: str,
    *,
    kind: str | None = None,
    etag: str | None = None,
    last_modified: str | None = None,
) -> Harvest:
    """Fetch and read what is at `address`. kind: what must be there; None for whatever is. With the marks of last time,
    it may be unchanged.

    Raises:
        FetchError, FetchRefused: it cannot be had. ReadError: it cannot be read, or is not what it must be. None of
            their messages repeats the address.
    """
    asked = read_address(address).whole
    if len(asked) > ADDRESS_CHARACTERS:
        raise ReadError(f"has an address of more than {ADDRESS_CHARACTERS} characters")
    fetched = fetcher.fetch(asked, etag, last_modified)
    if fetched.body is None:
        return Harvest(
            kind or FEED,
            asked,
            "",
            changed=False,
            etag=fetched.etag or etag,
            last_modified=fetched.last_modified or last_modified,
        )
    body = _decodable(fetched)
    reader = readers.reader_for(io.BytesIO(body), fetched.address, fetched.media_type)
    if isinstance(reader, FeedReader):
        found = _feed(body, asked, fetched.address)
    elif kind == FEED:
        raise ReadError(f"is no feed any more: it is {reader.format}")
    else:
        found = _document(body, fetched, isinstance(reader, WebPageReader))
    return replace(found, etag=fetched.etag, last_modified=fetched.last_modified)


def _feed(body: bytes, asked: str, address: str) -> Harvest:
    feed = read_feed(io.BytesIO(body), address)
    return Harvest(FEED, asked, feed.title or asked, feed.entries)


def _document(body: bytes, fetched: Fetched, is_page: bool) -> Harvest:
    drafts: list[Draft] = []
    listed: list[Listed] = []
    refused: list[str] = []
    try:
        for item in readers.read(io.BytesIO(body), fetched.address, fetched.media_type):
            if isinstance(item, Draft):
                drafts.append(item)
            elif isinstance(item, Listed):
                listed.append(item)
            else:
                refused.append(_line(item))
    except ReadError as error:
        if not drafts and not listed:
            raise
        refused.append(str(error))
    if listed:
        return Harvest(LIST, fetched.address, fetched.address, listed=tuple(listed), refused=tuple(refused))
    own = drafts[0].address if is_page and drafts else None
    address = own or fetched.address
    entry = Entry(key_of(address), tuple(replace(draft, address=draft.address or address) for draft in drafts))
    follows = feed_of(body.decode("utf-8", "replace"), fetched.address) if is_page else None
    return Harvest(PAGE, address, _title(drafts, address), (entry,), follows=follows, refused=tuple(refused))


def _title(drafts: Sequence[Draft], address: str) -> str:
    """A document's name: what the titles of its passages begin with, or its address."""
    title = drafts[0].title if drafts else ""
    if len(drafts) > 1:
        title = title.partition(" › ")[0].partition(": ")[0]
    return title or address


def _line(refusal: Refusal) -> str:
    return f"{refusal.where}: {refusal.why}"


def _decodable(fetched: Fetched) -> bytes:
    """The body as a reader can decode it: where only the server says in which encoding it is, as marked UTF-8."""
    body = fetched.body or b""
    if not fetched.charset or not (
        fetched.media_type.startswith("text/") or fetched.media_type.endswith(("xml", "json"))
    ):
        return body
    try:
        named = codecs.lookup(fetched.charset).name
        if named in ("utf-8", "ascii") or encoding_of(io.BytesIO(body[:SNIFF_BYTES])) == "utf-8":
            return body
    except (LookupError, ValueError):
        return body
    except ReadError:
        pass  # it cannot be told from the bytes
    try:
        return codecs.BOM_UTF8 + body.decode(named).encode("utf-8")
    except (UnicodeError, LookupError):
        return body
