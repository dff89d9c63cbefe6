"""OPML: a list of feeds, as feed readers export it, or an outline of notes, as outliners do. Both may be in one file.

http://opml.org/spec2.opml
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.fetching.addresses import joined
from knowledge.readers.base import MAX_LISTED, TITLE_CHARACTERS, Listed, Refusal
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import address_of, shorten
from knowledge.readers.markup import local_name, markup_text, text_of, xml_tree
from knowledge.readers.passages import passages
from knowledge.types import Draft

OPML_BYTES = 4 * 2**20
_DEEPEST = 8  # headings above a note


class OpmlReader:
    """Reads OPML: an outline's notes become drafts; the feeds it lists are told, to be followed."""

    format = "OPML"
    suffixes = frozenset({".opml"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal | Listed]:
        root = xml_tree(markup_text(stream, OPML_BYTES, "OPML"))
        if local_name(root) != "opml":
            raise ReadError("is no OPML")
        met: set[str] = set()
        notes: list[Block] = []
        for outline in root.iter("{*}outline"):
            said = {key.lower(): value for key, value in outline.attrib.items() if isinstance(key, str)}
            title = shorten(text_of(said.get("text") or said.get("title") or ""), TITLE_CHARACTERS)
            feed = said.get("xmlurl")
            if feed is not None:
                address = joined(name, feed)
                if address is None or address_of(address) is None:
                    yield Refusal(title or "an outline", "names a feed at no address on the web")
                elif address not in met and len(met) < MAX_LISTED:
                    met.add(address)
                    yield Listed(address, title)
                elif address not in met:
                    raise ReadError(f"lists more than {MAX_LISTED} feeds: divide it")
            else:
                text = text_of(f"{said.get('text') or ''} {said.get('_note') or ''}"[:100_000])
                if len(outline) == 0 or said.get("_note"):
                    notes.append(Block.of(text, _above(outline), is_item=True))
        for passage in passages(notes):
            yield Draft(title=passage.title, text=passage.text, address=passage.address)


def _above(outline: object) -> tuple[str, ...]:
    """The texts of the outlines that hold this one, outermost first."""
    path: list[str] = []
    parent = outline.getparent()  # type: ignore[attr-defined]
    while parent is not None and local_name(parent) == "outline" and len(path) < _DEEPEST:
        path.append(shorten(text_of(parent.get("text") or ""), TITLE_CHARACTERS))
        parent = parent.getparent()
    return tuple(text for text in reversed(path) if text)
