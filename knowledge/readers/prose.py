"""From paragraphs of plain lines to blocks under headings, which neither plain text nor PDF marks as such."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from knowledge.readers.blocks import Block
from knowledge.readers.decoding import clean
from knowledge.readers.passages import has_words

BULLET = re.compile(r"\s*(?:[-*+•–—‣▪]|\(?\d{1,3}[.)])\s+(?=\S)")
SENTENCE_CLOSED = re.compile(r"[.!?…。！？][\"'”’»)\]]*\s*\Z")

UNDERLINE = re.compile(r"\s*([=\-~*_#])\1{2,}\s*\Z")
_HEADING_CHARACTERS = 60
_HEADING_WORDS = 9
_HEADINGS_IN_A_ROW = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, as they stand in the document, and their address, if any ("birds.pdf, page 3")."""

    lines: tuple[str, ...]
    address: str | None = None
    is_item: bool = False  # of a list or a file of one note a line, and so never a heading


def under_headings(paragraphs: Iterable[Paragraph], titles: tuple[str, ...] = ()) -> Iterator[Block]:
    """The paragraphs as blocks under the last heading above them; `titles` begins every path of headings.

    One or two short lines followed by prose are a heading ("CHAPTER I", "The bower"); three or more in a row are notes.
    An underlined line is always one.
    """
    path = titles
    waiting: list[Block] = []  # short lines of which what follows will tell whether they are a heading
    notes = False  # whether so many came in a row that they are none
    for paragraph in paragraphs:
        underlined = _is_underlined(paragraph.lines)
        text = clean(" ".join(paragraph.lines[:1] if underlined else paragraph.lines))
        if not has_words(text):
            continue
        if paragraph.address:
            block = Block(text, path, paragraph.address, paragraph.is_item)
        else:
            block = Block.of(text, path, is_item=paragraph.is_item)
        if underlined:
            yield from waiting
            path, waiting, notes = (*titles, text), [], False
        elif len(paragraph.lines) == 1 and not paragraph.is_item and _like_heading(text):
            waiting.append(block)
            notes = notes or len(waiting) > _HEADINGS_IN_A_ROW
            if notes:
                yield from waiting
                waiting = []
        else:
            if waiting:
                path = (*titles, ": ".join(block.text for block in waiting))
            waiting, notes = [], False
            yield replace(block, headings=path)
    yield from waiting


def _is_underlined(lines: tuple[str, ...]) -> bool:
    """Whether these are a heading and a line drawn below it; a rule that ends a paragraph is not as long as that."""
    return (
        len(lines) == 2 and bool(UNDERLINE.match(lines[1])) and abs(len(lines[0].strip()) - len(lines[1].strip())) <= 3
    )


def _like_heading(text: str) -> bool:
    return (
        0 < len(text) <= _HEADING_CHARACTERS
        and len(text.split()) <= _HEADING_WORDS
        and text[-1] not in ".,;:!…"
        and not text[0].islower()
    )
