"""Paragraphs, list items and the like under their headings, and how scraps among them find company.

Knows nothing of formats nor of how long a passage should be: only what is too short to be a snippet by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from knowledge.readers.decoding import address_of

ITEM_CHARACTERS = 20  # a list item of this length is a thought ("rust the colour of old tea")
NOTE_CHARACTERS = 40  # a paragraph of this length can stand alone ("Lighthouse keepers painted their clocks blue.")
DIALOGUE_CHARACTERS = 80  # below it, a line of dialogue or one that announces what follows joins its neighbours
JOINED_CHARACTERS = 240  # scraps are joined up to about this length

_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_AFTER_ADDRESS = ".,;:!?)]}'"
_BEFORE_ADDRESS = re.compile(r"(?:[\s(\[–—-]|\b(?:source|link|url|via|see|from)\b:?)+\Z", re.IGNORECASE)
_LEAD_CHARACTERS = 40  # of what may lead up to an address; the pattern takes time with their square
_CLOSED = re.compile(r"[.!?…:;,。！？：；，–—-][\"'”’»)\]]*\Z")
_DIALOGUE = "\"'“‘«„—–-"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item or the like: one clean line of text, under a path of headings.

    `address` is the block's own (a link in it, its page); blocks that are joined keep it where all agree. Items of a
    list need less to stand alone than paragraphs do, for each was meant to.
    """

    text: str
    headings: tuple[str, ...] = ()
    address: str | None = None
    is_item: bool = False

    @classmethod
    def of(cls, text: str, headings: tuple[str, ...] = (), links: Iterable[str] = (), is_item: bool = False) -> Block:
        """A block of clean text; when it has one link in all, among `links` or written out, that is its address.

        An address written at the very end ("Source: https://...") is then taken out of the text.
        """
        written = [_without_what_follows(match.group()) for match in _WEB_ADDRESS.finditer(text)]
        addresses = list(dict.fromkeys([*links, *written]))
        if len(addresses) != 1 or not (address := address_of(addresses[0])):
            return cls(text, headings, None, is_item)
        before, _, after = text.rpartition(address)
        if len(written) == 1 and not after.strip(_AFTER_ADDRESS):
            text = before
            text = text[:-_LEAD_CHARACTERS] + _BEFORE_ADDRESS.sub("", text[-_LEAD_CHARACTERS:]).rstrip(" ,;:")
        return cls(text, headings, address, is_item)


def _without_what_follows(address: str) -> str:
    """An address as it stands in a sentence, without the marks after it; a bracket that it opens itself is its own."""
    while address and address[-1] in _AFTER_ADDRESS:
        if address[-1] == ")" and address.count("(") >= address.count(")"):
            break
        address = address[:-1]
    return address


def joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks with scraps joined to their neighbours in the same section: to one another, then to the block that
    they lead up to or, at a section's end, to the one before. Items join items only. A scrap without such a neighbour
    stays as it is.

    Lazy: holds no more than a few blocks at a time.
    """
    before: Block | None = None  # stands alone; held back, as a scrap may follow that ends its section
    scrap: Block | None = None
    for block in _gathered(block for block in blocks if block.text):
        last = scrap or before
        if last and (last.headings != block.headings or (last.is_item and not block.is_item)):
            yield from _section_end(before, scrap)
            before = scrap = None
        whole = _join(scrap, block, "; " if scrap.is_item else ": ") if scrap else block
        if _stands_alone(whole):
            if before:
                yield before
            before, scrap = whole, None
        else:
            scrap = whole
    yield from _section_end(before, scrap)


def _gathered(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks with runs of scraps in the same section made one: short list items, lines of dialogue."""
    run: Block | None = None
    for block in blocks:
        if _stands_alone(block):
            if run:
                yield run
            run = None
            yield block
        elif run and _alike(run, block) and len(run.text) + len(block.text) <= JOINED_CHARACTERS:
            run = _join(run, block, "; ")
        else:
            if run:
                yield run
            run = block
    if run:
        yield run


def _section_end(before: Block | None, scrap: Block | None) -> Iterator[Block]:
    if before and scrap and _alike(before, scrap):
        yield _join(before, scrap, "; ")
    else:
        yield from (block for block in (before, scrap) if block)


def _stands_alone(block: Block) -> bool:
    text = block.text
    if block.is_item:
        return len(text) >= ITEM_CHARACTERS
    leads_on = text[0] in _DIALOGUE or text[-1] in ":,"
    return len(text) >= (DIALOGUE_CHARACTERS if leads_on else NOTE_CHARACTERS)


def _alike(one: Block, other: Block) -> bool:
    return one.headings == other.headings and one.is_item == other.is_item


def _join(one: Block, other: Block, mark: str) -> Block:
    """Two blocks as one, with `mark` between them unless the first closes with a mark of its own. It keeps an address
    that is the only one."""
    addresses = {address for address in (one.address, other.address) if address}
    text = f"{one.text} {other.text}" if _CLOSED.search(one.text) else f"{one.text}{mark}{other.text}"
    return Block(text, one.headings, addresses.pop() if len(addresses) == 1 else None, other.is_item)
