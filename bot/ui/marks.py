"""Foreign text made safe for Discord's markdown: nothing a snippet or a model wrote mentions, links or shouts."""

from __future__ import annotations

import re

from bot.ideation.prompts import quoted
from knowledge.types import Hit

LONGEST_ADDRESS = 200  # a longer one is shown as a title alone: it would eat the message's 4,000 characters

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\\|`]+(?:\([^\s<>()\[\]\\|`]*\)[^\s<>()\[\]\\|`]*)*")
_MARK = re.compile(r"[\\`*_~|\[\]<]|:(?=//)|^[#>+-]")
_SHOUT = re.compile(r"@(?=everyone|here)")
_ZERO_WIDTH_SPACE = "\u200b"


def plain(text: str, longest: int = 1000) -> str:
    """Text as one line that shows just as it reads: no mention, emoji code, timestamp, markdown, heading or link in it.

    At most `longest` characters of it are taken; with every one of them escaped that makes twice as many.
    """
    line = quoted(text)
    if len(line) > longest:
        line = line[: longest - 1].rsplit(" ", 1)[0] + "…"
    return _SHOUT.sub(f"@{_ZERO_WIDTH_SPACE}", _MARK.sub(r"\\\g<0>", line))


def cut(text: str, longest: int) -> str:
    """Text as one line of at most `longest` characters, unescaped: for labels, which show no markdown."""
    line = quoted(text)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def link(title: str, address: str | None) -> str:
    """A title that leads to an address and unfolds no preview; the title alone where the address is none to follow."""
    shown = plain(title.replace("[", "(").replace("]", ")"), 80) or "untitled"
    if address and len(address) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(address):
        return f"[{shown}](<{address}>)"
    return shown


def spark_links(sparks: tuple[Hit, ...], most: int = 3) -> str:
    """Sparks as links, one after the other; beyond `most` only how many more there are."""
    shown = " · ".join(link(hit.snippet.title, hit.snippet.address) for hit in sparks[:most])
    return f"{shown} · and {len(sparks) - most} more" if len(sparks) > most else shown
