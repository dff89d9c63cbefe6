"""From paragraphs to passages: pieces of prose that make good snippets, and their titles.

A passage is long enough to say something and short enough to be one thing: the embedder gives one vector to it, a card
shows it, and an idea cites it. Knows nothing of formats; readers give it blocks, it gives back passages in their order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from knowledge.readers.base import TITLE_CHARACTERS
from knowledge.readers.blocks import Block, joined
from knowledge.readers.decoding import shorten

PASSAGE_CHARACTERS = 600  # about 130 words: three to five sentences, well within the embedder's 256 tokens

_OPENING_WORDS_CHARACTERS = 60
_TITLE_WORDS = 3  # "Marta." is a sentence, and no title

# A run of sentence-ending marks, then closing quotes, then space. The lookbehind lets a run match from its start only,
# which keeps the search linear on text such as ten thousand full stops.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++|(?<![。！？])[。！？]++[」』”’）]*+\s*+")
_CLAUSE_END = re.compile(r"[;:,–—·•|]\s+|[，；：、]")
_SPACE = re.compile(r"\s+")
_LAST_WORD = re.compile(r"[\w.]*\Z")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st vs e.g i.e cf fig no vol ed eds al ca c approx inc ltd co jr sr p pp op".split()
)
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose of at most PASSAGE_CHARACTERS, with a title of at most TITLE_CHARACTERS."""

    title: str
    text: str
    address: str | None = None


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """Join scraps with their neighbours, split long blocks at sentence ends, drop what has no words. Lazy."""
    pieces = (
        replace(block, text=piece) for block in joined(blocks) if has_words(block.text) for piece in split(block.text)
    )
    before: Block | None = None
    for piece, after in pairwise(chain(pieces, [None])):
        if piece:
            section = piece.headings
            alone = all(neighbour is None or neighbour.headings != section for neighbour in (before, after))
            yield _titled(piece, alone)
            before = piece


def has_words(text: str) -> bool:
    """Whether `text` says something in words, rather than being figures, a rule, dot leaders or damage."""
    letters = len(_LETTER.findall(text))
    return letters >= 3 and letters >= 0.4 * len(text.replace(" ", ""))


def opening_words(text: str) -> str:
    """A title made of the text itself: its first sentence if that is short, else its first words and an ellipsis."""
    ends = (end for end in _sentence_ends(text, 0, len(text)) if len(text[:end].split()) >= _TITLE_WORDS)
    sentence = text[: next(ends, len(text))].rstrip()
    if len(sentence) <= _OPENING_WORDS_CHARACTERS:
        return sentence.rstrip(".。 ") or sentence
    return shorten(sentence, _OPENING_WORDS_CHARACTERS)


def split(text: str, limit: int = PASSAGE_CHARACTERS) -> list[str]:
    """`text` in pieces of at most `limit` characters and of about the same length, cut where it reads best."""
    pieces = []
    start = 0
    while len(text) - start > limit:
        end = _best_cut(text, start, limit)
        pieces.append(text[start:end].strip())
        start = end
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def _best_cut(text: str, start: int, limit: int) -> int:
    """Where to end a piece that begins at `start`: near an even share of what is left, at a sentence's end if one is
    near enough, else at a clause's, else between words, else anywhere."""
    left = len(text) - start
    aim = start + left / math.ceil(left / limit)
    earliest, latest = start + limit // 3, start + limit
    for ends in (_sentence_ends, _clause_ends, _word_ends):
        if cuts := [end for end in ends(text, start, latest) if end >= earliest]:
            return min(cuts, key=lambda end: abs(end - aim))
    return latest


def _sentence_ends(text: str, start: int, stop: int) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text, start, stop):
        following = text[match.end() : match.end() + 1]
        last_word = _LAST_WORD.search(text, max(start, match.start() - 12), match.start())
        word = last_word.group().casefold() if last_word else ""
        abbreviated = text[match.start()] == "." and (word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()))
        if not abbreviated and not following.islower():
            yield match.end()


def _clause_ends(text: str, start: int, stop: int) -> Iterator[int]:
    return (match.end() for match in _CLAUSE_END.finditer(text, start, stop))


def _word_ends(text: str, start: int, stop: int) -> Iterator[int]:
    return (match.end() for match in _SPACE.finditer(text, start, stop))


def _titled(piece: Block, alone: bool) -> Passage:
    """A section's only passage is called by the path of its headings; where there are more, each adds its opening
    words, so that no two citations look the same."""
    path = list(piece.headings)
    limit = TITLE_CHARACTERS if alone else TITLE_CHARACTERS - _OPENING_WORDS_CHARACTERS - 2
    while len(path) > 1 and len(" › ".join(path)) > limit:
        del path[0]  # the nearest headings say most
    parts = [shorten(" › ".join(path), limit)] if path else []
    if not (alone and path):
        parts.append(opening_words(piece.text))
    return Passage(": ".join(parts), piece.text, piece.address)
