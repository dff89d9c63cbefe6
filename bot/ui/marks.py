"""Foreign text made safe for Discord's markdown: nothing a snippet or a model wrote mentions, links or shouts."""

from __future__ import annotations

import re

import discord

from bot.ideation.prompts import quoted
from knowledge.types import Hit

_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\\|`]+(?:\([^\s<>()\[\]\\|`]*\)[^\s<>()\[\]\\|`]*)*")


def plain(text: str, longest: int = 1000) -> str:
    """Text as one line that shows just as it reads: no mention, emoji code, timestamp, markdown or heading in it."""
    line = quoted(text)
    if len(line) > longest:
        line = line[: longest - 1].rsplit(" ", 1)[0] + "…"
    escaped = discord.utils.escape_markdown(line, as_needed=False, ignore_links=False)
    return discord.utils.escape_mentions(escaped).replace("<", "\\<")


def link(title: str, address: str | None) -> str:
    """A title that leads to an address and unfolds no preview; the title alone where the address is none to follow."""
    shown = plain(title, 100).replace("[", "(").replace("]", ")")
    if address and len(address) <= 300 and _ADDRESS.fullmatch(address):
        return f"[{shown}](<{address}>)"
    return shown


def spark_links(sparks: tuple[Hit, ...]) -> str:
    """Sparks as links, one after the other."""
    return " · ".join(link(hit.snippet.title, hit.snippet.address) for hit in sparks)
