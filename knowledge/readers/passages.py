"""From paragraphs to passages: pieces of prose that make good snippets, and their titles.

A passage is long enough to say something and short enough to be one thing: the embedder gives one vector to it, a card
shows it, and an idea cites it. Knows nothing of formats; readers give it blocks, it gives back passages in their order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

from knowledge.readers.base import TITLE_CHARACTERS
from knowledge.readers.decoding import address_of, shorten

PASSAGE_CHARACTERS = 600  # about 130 words: three to five sentences, well within the embedder's 256 tokens
NOTE_CHARACTERS = 40  # a sentence of this length can stand alone ("Lighthouse keepers painted their clocks blue.")
SCRAP_CHARACTERS = 80  # below it, what is no sentence (a list item, a line of dialogue) joins its neighbours
JOINED_CHARACTERS = 240  # scraps are joined up to about this length

_OPENING_WORDS_CHARACTERS = 60

# A run of sentence-ending marks, then closing quotes, then space. The lookbehind lets a run match from its start only,
# which keeps the search linear on text such as ten thousand full stops.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+\s++|(?<![。！？])[。！？]++[」』”’）]*+\s*+")
_CLAUSE_END = re.compile(r"[;:,–—]\s+|[，；：、]")
_SPACE = re.compile(r"\s+")
_LAST_WORD = re.compile(r"[\w.]*\Z")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st vs e.g i.e cf fig no vol ed eds al ca c approx inc ltd co jr sr p pp op".split()
)
_LETTER = re.compile(r"[^\W\d_]")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+")
_AFTER_ADDRESS = ".,;:!?)]}'"
_BEFORE_ADDRESS = re.compile(r"(?:[\s(\[–—-]|\b(?:source|link|url|via|see|from)\b:?)+\Z", re.IGNORECASE)
_CLOSED = ".!?…:;,。！？：；，"
_LISTED = "; "  # between the items of a list
_DIALOGUE = "\"'“‘«„—–-"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item or the like: one clean line of text, under a path of headings.

    `address` is the block's own (a link in it, its page); blocks that are joined keep it where all agree.
    """

    text: str
    headings: tuple[str, ...] = ()
    address: str | None = None

    @classmethod
    def of(cls, text: str, headings: tuple[str, ...] = (), links: Iterable[str] = ()) -> Block:
        """A block of clean text; when it has one link in all, among `links` or written out, that is its address.

        An address written at the very end ("Source: https://...") is then taken out of the text.
        """
        written = [match.group().rstrip(_AFTER_ADDRESS) for match in _WEB_ADDRESS.finditer(text)]
        addresses = list(dict.fromkeys([*links, *written]))
        if len(addresses) != 1 or not (address := address_of(addresses[0])):
            return cls(text, headings)
        if len(written) == 1 and text.rstrip(_AFTER_ADDRESS).endswith(address):
            text = _BEFORE_ADDRESS.sub("", text[: text.rindex(address)]).rstrip(" ,;:")
        return cls(text, headings, address)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of prose of at most PASSAGE_CHARACTERS, with a title of at most TITLE_CHARACTERS."""

    title: str
    text: str
    address: str | None = None


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """Join scraps with their neighbours in a section, split long blocks at sentence ends, drop what has no words.

    Lazy: holds no more than a few blocks at a time.
    """
    pieces = (
        Block(piece, block.headings, block.address)
        for block in _joined(_gathered(blocks))
        if has_words(block.text)
        for piece in split(block.text)
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
    first = next(_sentence_ends(text, 0, len(text)), len(text))
    sentence = text[:first].rstrip()
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


def _stands_alone(block: Block) -> bool:
    """Whether a block is a snippet by itself: long enough, a sentence that is no dialogue, or a list."""
    text = block.text
    if len(text) >= SCRAP_CHARACTERS or _LISTED in text:
        return True
    return len(text) >= NOTE_CHARACTERS and text[-1] in ".!?…。！？" and text[0] not in _DIALOGUE


def _gathered(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks with runs of scraps in the same section made one: short list items, lines of dialogue."""
    run: Block | None = None
    for block in blocks:
        scrap = not _stands_alone(block)
        fits = run and run.headings == block.headings and len(run.text) + len(block.text) <= JOINED_CHARACTERS
        if run and scrap and fits:
            run = _join(run, block, _LISTED)
            continue
        if run:
            yield run
        run = block if scrap else None
        if not scrap:
            yield block
    if run:
        yield run


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks with each scrap joined to the block that it leads up to or, at a section's end, to the one before. A
    scrap that is alone in its section stays as it is."""
    before: Block | None = None  # stands alone; held back, as a scrap may follow that ends its section
    scrap: Block | None = None
    for block in blocks:
        if (last := scrap or before) and last.headings != block.headings:
            yield from _section_end(before, scrap)
            before = scrap = None
        whole = _join(scrap, block, ": ") if scrap else block
        if _stands_alone(whole):
            if before:
                yield before
            before, scrap = whole, None
        else:
            scrap = whole
    yield from _section_end(before, scrap)


def _section_end(before: Block | None, scrap: Block | None) -> Iterator[Block]:
    if before and scrap:
        yield _join(before, scrap, _LISTED)
    elif last := before or scrap:
        yield last


def _join(one: Block, other: Block, mark: str) -> Block:
    """Two blocks as one, with `mark` between them unless the first closes with a mark of its own. It keeps an address
    that is the only one."""
    addresses = {address for address in (one.address, other.address) if address}
    between = " " if one.text[-1] in _CLOSED or one.text[-1] in _DIALOGUE else mark
    return Block(one.text + between + other.text, one.headings, addresses.pop() if len(addresses) == 1 else None)


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
