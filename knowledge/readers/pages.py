"""From printed pages to paragraphs: the lines of a page say neither where a paragraph ends nor which of them is text.

Knows nothing of PDF: only lines as they stand on pages.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, repeat

from knowledge.readers.decoding import clean
from knowledge.readers.prose import BULLET, SENTENCE_CLOSED, Paragraph

_NEAR_PAGES = 2  # on either side: left and right pages may carry different running heads
_EDGE_LINES = 2  # running heads and page numbers stand in the first or last two lines
_EDGE_CHARACTERS = 200
_PAGE_NUMBER = re.compile(
    r"[-–—.|\s]*(?:page\s*)?(?:\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?|[ivxlc]{1,7})[-–—.|\s]*", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])[-\u00ad]\Z")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_PARAGRAPH_CHARACTERS = 16 * 1024  # a paragraph that never ends (a table of figures) is cut


@dataclass(frozen=True, slots=True)
class Page:
    """A page's number, from 1, and its lines from top to bottom."""

    number: int
    lines: tuple[str, ...]


def paragraphs(pages: Iterable[Page], name: str) -> Iterator[Paragraph]:
    """The paragraphs of the document called `name`, each with the page that it begins on as its address.

    Running heads and page numbers are left out, words broken at a line's end are joined, and so is a paragraph that
    goes on overleaf. Reads two pages ahead.
    """
    lines: list[str] = []
    address = ""
    for page in _without_edges(pages):
        margin = _margin(page.lines)
        for line, following in pairwise((*page.lines, None)):
            if line:
                address = address if lines else f"{name}, page {page.number}"
                lines.append(line)
            if lines and _ends(lines, following, margin):
                yield _paragraph(lines, address)
                lines = []
    if lines:
        yield _paragraph(lines, address)


def _ends(lines: list[str], following: str | None, margin: int) -> bool:
    """Whether a paragraph ends with the last of `lines`; `following` is the page's next line, None at its foot."""
    last = lines[-1]
    closed = last.endswith(":") or bool(SENTENCE_CLOSED.search(last))
    if sum(map(len, lines)) > _PARAGRAPH_CHARACTERS or not following:
        return closed or following is not None  # one that is not closed at a page's foot goes on overleaf
    if BULLET.match(following) or (closed and len(last) < 0.85 * margin):
        return True
    stands_alone = len(lines) == 1 and len(last) < 0.6 * margin and last[-1] not in ",;:-–—"
    return stands_alone and (following[0].isupper() or following[0].isdigit())


def _margin(lines: tuple[str, ...]) -> int:
    """How long a full line of this page is, in characters; the odd line that runs on is not counted."""
    lengths = sorted(map(len, lines))
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _paragraph(lines: list[str], address: str) -> Paragraph:
    """Wrapped lines as a paragraph of one line, without the mark of a list item."""
    text = BULLET.sub("", lines[0], count=1)
    for line in lines[1:]:
        broken = _BROKEN_WORD.search(text) and line[0].islower()
        text = text[:-1] + line if broken else f"{text} {line}"
    return Paragraph((text,), address, is_item=bool(BULLET.match(lines[0])))


def _without_edges(pages: Iterable[Page]) -> Iterator[Page]:
    """The pages without page numbers, and without those outermost lines that pages near them repeat."""
    near: deque[Page | None] = deque(maxlen=2 * _NEAR_PAGES + 1)
    for arriving in chain(pages, repeat(None, _NEAR_PAGES)):
        near.append(_tidy(arriving) if arriving else None)
        page = near[-1 - _NEAR_PAGES] if len(near) > _NEAR_PAGES else None
        if page:
            repeated = {edge for other in near if other and other is not page for edge in _edges(other).values()}
            outer = {index for index, edge in _edges(page).items() if edge in repeated or _PAGE_NUMBER.fullmatch(edge)}
            yield Page(page.number, tuple(line for index, line in enumerate(page.lines) if index not in outer))


def _tidy(page: Page) -> Page:
    return Page(page.number, tuple(line.translate(_LIGATURES).strip() for line in page.lines))


def _edges(page: Page) -> dict[int, str]:
    """The outermost lines of a page by their index, in a form in which running heads of different pages are equal."""
    filled = [index for index, line in enumerate(page.lines) if line]
    outermost = {*filled[:_EDGE_LINES], *filled[-_EDGE_LINES:]}
    return {index: _DIGITS.sub("0", clean(page.lines[index][:_EDGE_CHARACTERS]).casefold()) for index in outermost}
