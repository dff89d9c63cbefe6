"""Plain text: paragraphs, list items and notes of a line become passages; short lines above prose are headings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from knowledge.readers.base import Refusal
from knowledge.readers.decoding import numbered_lines
from knowledge.readers.passages import passages
from knowledge.readers.prose import BULLET, SENTENCE_CLOSED, UNDERLINE, Paragraph, under_headings
from knowledge.types import Draft

CHUNK_CHARACTERS = 32 * 1024  # a paragraph longer than this is read in chunks

_UNWRAPPED_LINE_CHARACTERS = 120  # nobody wraps by hand at more than this


class TextReader:
    """Reads plain text."""

    format = "text"
    suffixes = frozenset({".txt", ".text"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name  # nothing in a plain text has an address of its own
        paragraphs = (part for chunk in _chunks(stream) for part in _paragraphs(chunk))
        for passage in passages(under_headings(paragraphs)):
            yield Draft(title=passage.title, text=passage.text, address=passage.address)


def _chunks(stream: BinaryIO) -> Iterator[list[str]]:
    """The document's blocks of lines, as blank lines part them. An endless one comes in chunks, cut where a line or
    else a word ends."""
    text = ""
    for _, piece in numbered_lines(stream):
        if piece.isspace():
            yield text.splitlines()
            text = ""
        else:
            text += piece
        if len(text) > CHUNK_CHARACTERS:
            cut = max(text.rfind(end, CHUNK_CHARACTERS // 2) for end in "\n ") + 1 or len(text)
            yield text[:cut].splitlines()
            text = text[cut:]
    yield text.splitlines()


def _paragraphs(lines: list[str]) -> Iterator[Paragraph]:
    """The paragraphs of a block of lines: list items and lines that are each complete stand for themselves, wrapped
    lines belong together."""
    lines = [line for line in lines if line and not line.isspace()]
    is_list = sum(bool(BULLET.match(line)) for line in lines) > 1
    each_alone = not is_list and _one_note_a_line(lines)
    start = 0
    for end in range(1, len(lines) + 1):
        if end == len(lines) or each_alone or (is_list and BULLET.match(lines[end])) or UNDERLINE.match(lines[end - 1]):
            first = BULLET.sub("", lines[start], count=1) if is_list else lines[start]
            yield Paragraph((first, *lines[start + 1 : end]), is_item=is_list or each_alone)
            start = end


def _one_note_a_line(lines: list[str]) -> bool:
    """Whether each line says something by itself, rather than being a part of a wrapped paragraph."""
    longest = max(map(len, lines), default=0)
    # Where a paragraph is wrapped, the next line's first word would not have fitted on this one.
    wrapped = all(len(line) + 1 + len(after.split(None, 1)[0]) > longest for line, after in pairwise(lines))
    complete = sum(bool(SENTENCE_CLOSED.search(line)) for line in lines)
    whole = complete >= 0.8 * len(lines) or longest > _UNWRAPPED_LINE_CHARACTERS
    return whole and (not wrapped or longest > _UNWRAPPED_LINE_CHARACTERS)
