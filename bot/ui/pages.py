"""Long text as several messages: no word and no fenced code is cut, unless one alone is longer than a message. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.ui.layout import weight

MOST = 2000  # characters of a message, by Discord's rules

_FENCED = re.compile(r"```.*?(?:```|\Z)", re.S)
_OPENING = re.compile(r"```([\w+#-]{0,20})\n")
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…])\s"), re.compile(r"\s"))


def split(text: str, most: int = MOST) -> list[str]:
    """The text as pages of at most `most` characters, to be read one after the other; none for a blank text.

    A page ends where a paragraph does, else a line, a sentence, a word. Fenced code goes whole to the next page; code
    longer than a page is cut between lines, and each part has its own fence. Code whose fence is open is closed.
    """
    if not text.strip():
        return []
    pages: list[str] = []
    for piece, fenced in _pieces(text):
        if fenced:
            _put_code(pages, piece, most)
        else:
            _put_prose(pages, piece, most)
    return [page for page in (page.strip() for page in pages) if page]


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Prose and fenced code in turn; True with code."""
    end = 0
    for match in _FENCED.finditer(text):
        yield text[end : match.start()], False
        code = match.group()
        if len(code) < 6 or not code.endswith("```"):
            code = code.rstrip("`\n") + "\n```" if code.strip("`\n ") else ""
        yield code, True
        end = match.end()
    yield text[end:], False


def _put_prose(pages: list[str], text: str, most: int) -> None:
    while text:
        room = most - weight(pages[-1]) if pages else most
        if weight(text) <= room:
            _append(pages, text)
            return
        end = _break(text, room)
        if end:
            _append(pages, text[:end])
        elif not pages or not pages[-1].strip():
            end = _fitting(text, most)  # one word, longer than a page
            _append(pages, text[:end])
        pages.append("")
        text = text[end:].lstrip()


def _put_code(pages: list[str], code: str, most: int) -> None:
    if not code:
        return
    if pages and weight(pages[-1]) + weight(code) <= most:
        pages[-1] += code
        return
    if weight(code) <= most:
        pages.append(code)
        return
    opening = _OPENING.match(code)
    head = opening.group() if opening else "```\n"
    body = code[opening.end() if opening else 3 : -3].rstrip("\n")
    room = most - weight(head) - weight("\n```")
    while body:
        if weight(body) <= room:
            end = len(body)
        else:
            end = body.rfind("\n", 0, _fitting(body, room) + 1)
            end = end if end > 0 else _break(body, room) or _fitting(body, room)
        pages.append(f"{head}{body[:end]}\n```")
        body = body[end:].removeprefix("\n")


def _append(pages: list[str], text: str) -> None:
    if pages:
        pages[-1] += text
    else:
        pages.append(text)


def _break(text: str, room: int) -> int:
    """Where to end a page that has that much room: a paragraph's end if the page is half full by then, and so on down.

    0 when not even a word fits.
    """
    window = text[: _fitting(text, room) + 1]  # the white space after a word that just fits may stand outside
    found = 0
    for pattern in _BREAKS:
        ends = [match.start() for match in pattern.finditer(window)]
        found = max(ends, default=0)
        if found > len(window) // 2:
            return found
    return found


def _fitting(text: str, room: int) -> int:
    """How many characters of the text fit."""
    end = min(len(text), max(0, room))
    while end and (over := weight(text[:end]) - room) > 0:
        end -= (over + 1) // 2
    return end
