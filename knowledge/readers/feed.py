"""RSS and Atom, in all their versions: each entry is an article with its own address, author and date.

Parsed by feedparser, from a tree that libxml2 has mended where it can: feedparser's own parser for damaged feeds has no
limits. What an entry says in HTML becomes text here.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

from knowledge.errors import ReadError
from knowledge.fetching.addresses import joined, key_of
from knowledge.readers.articles import drafts_of_article
from knowledge.readers.base import AUTHOR_CHARACTERS, LICENCE_CHARACTERS, TITLE_CHARACTERS, Refusal
from knowledge.readers.decoding import address_of, shorten
from knowledge.readers.fields import iso_date, topics_of
from knowledge.readers.markup import html_tree, markup_text, pieces, root_name, text_of, under_titles, xml_tree
from knowledge.types import Draft

FEED_BYTES = 8 * 2**20
ENTRIES = 200  # the newest of one feed; a feed that holds all of ten years is no feed
PASSAGES = 8  # of one entry: its beginning, if it is longer
ENTRY_CHARACTERS = 200_000
ROOTS = frozenset({"rss", "feed", "rdf"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. key: what stays the same when its text changes, and is the same in another feed that has it too."""

    key: str
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as it is now. address: of the site, where it says so. left_out: entries beyond the most that are read."""

    title: str
    address: str | None
    entries: tuple[Entry, ...]
    left_out: int = 0


class FeedReader:
    """Reads RSS and Atom."""

    format = "RSS or Atom"
    suffixes = frozenset({".rss", ".atom"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        feed = read_feed(stream, name)
        for entry in feed.entries:
            yield from entry.drafts
        if feed.left_out:
            yield Refusal("its end", f"holds {feed.left_out:,} entries more than the {ENTRIES} that are read")


def read_feed(stream: BinaryIO, address: str = "") -> Feed:
    """The feed in `stream`, its entries in its own order. address: its own, for links that are relative to it.

    Raises ReadError when it is no feed or damaged beyond repair.
    """
    import feedparser
    from lxml import etree

    text = markup_text(stream, FEED_BYTES, "a feed")
    if root_name(text[:65_536]) not in ROOTS:
        raise ReadError("is no feed: it is neither RSS nor Atom")
    root = xml_tree(text)
    beyond = list(root.iter("{*}item", "{*}entry"))[ENTRIES:]
    for element in beyond:
        element.getparent().remove(element)
    source = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    try:
        parsed = feedparser.parse(
            io.BytesIO(source),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:  # on damaged feeds that may be any
        raise ReadError("cannot be read as a feed: it is damaged") from error
    about = parsed.feed
    link = _link(about, address)
    found = parsed.entries[:ENTRIES]
    # How many different entries have one link: some feeds give all of them that of the site. Repetitions do not count.
    shared = Counter(link for link, _ in {(_link(entry, address), _said(entry)) for entry in found})
    entries: dict[str, Entry] = {}
    for entry in found:
        own = _link(entry, address)
        drafts = tuple(_drafts(entry, own or link or address_of(address), about))
        if drafts:
            unsure = own is None or own == link or shared[own] > 1
            key = _other_key(entry, drafts) if unsure else key_of(own or "")
            entries.setdefault(key, Entry(key, drafts))
    if not entries and not parsed.version and not found:
        raise ReadError("is no feed: it holds no entries that Kindling could find")
    title = shorten(text_of(str(about.get("title", ""))), TITLE_CHARACTERS)
    return Feed(title, link, tuple(entries.values()), len(beyond))


def _drafts(entry: Any, address: str | None, feed: Any) -> Iterator[Draft]:
    about = Draft(
        title=text_of(str(entry.get("title", ""))[:2_000]),
        text="",
        topics=topics_of(", ".join(str(tag.get("term") or "") for tag in entry.get("tags", [])[:30])),
        date=_date(entry),
        author=shorten(text_of(str(entry.get("author") or feed.get("author") or "")[:2_000]), AUTHOR_CHARACTERS)
        or None,
        address=address,
        licence=_licence(entry) or _licence(feed),
    )
    root = html_tree(f"<div>{_content(entry)}</div>")
    return drafts_of_article(about, under_titles(pieces(root)) if root is not None else (), PASSAGES)


def _content(entry: Any) -> str:
    """The longest of what the entry says of itself, as HTML."""
    said = [str(part.get("value") or "") for part in entry.get("content", [])[:5]]
    said.append(str(entry.get("summary") or ""))
    return max(said, key=len)[:ENTRY_CHARACTERS]


def _said(entry: Any) -> str:
    return f"{entry.get('title')}\0{_content(entry)}"


def _link(part: Any, base: str) -> str | None:
    link = str(part.get("link") or "")
    whole = joined(base, link) if link else None
    return address_of(whole) if whole else None


def _other_key(entry: Any, drafts: tuple[Draft, ...]) -> str:
    """A key for an entry whose address is not its own: the id that the feed gives it, else what it says."""
    given = str(entry.get("id") or "")
    said = given or "\0".join(f"{draft.title}\0{draft.text}" for draft in drafts)
    return f"id:{blake2b(said.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"


def _date(entry: Any) -> str | None:
    for name in ("published", "updated", "created"):
        # Asked with `in` first: feedparser answers for one name with another, and warns.
        if f"{name}_parsed" in entry and (parsed := entry[f"{name}_parsed"]):
            return iso_date(f"{parsed.tm_year:04}-{parsed.tm_mon:02}-{parsed.tm_mday:02}")
    for name in ("published", "updated"):
        if name in entry and (day := iso_date(str(entry[name]))):
            return day
    return None


def _licence(part: Any) -> str | None:
    links = [str(link.get("href") or "") for link in part.get("links", []) if link.get("rel") == "license"]
    said = next((text for text in (*links, str(part.get("license") or ""), str(part.get("rights") or "")) if text), "")
    return shorten(text_of(said[:2_000]), LICENCE_CHARACTERS) or None
