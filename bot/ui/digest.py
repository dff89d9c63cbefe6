"""A digest as it is posted, and digests as they stand in the settings. Pure: values in, pages out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot.ideation.digests import Digest, Subscription
from bot.ui.layout import Page, page
from bot.ui.marks import link, plain

SHOWN = 10


def digest_mark(day: str) -> str:
    """What stands in the digest of a day and in no other message."""
    return f"digest of {day}"


def digest_page(digest: Digest) -> Page:
    """What came in, what rises, and something to begin with."""
    day = date.fromisoformat(digest.day)
    lines = [f"## Digest, {day:%A} {day.day} {day:%B}"]
    if digest.count:
        snippets = "snippet" if digest.count == 1 else "snippets"
        lines.append(f"**Came in:** {digest.count:,} {snippets}")
        for snippet in digest.newest:
            by = f" · {plain(snippet.author, 40)}" if snippet.author else ""
            lines.append(f"- {link(snippet.title, snippet.address)}{by}")
        if digest.count > len(digest.newest):
            lines.append(f"- and {digest.count - len(digest.newest):,} more")
    else:
        lines.append("Nothing new came into the library.")
    if digest.rising:
        lines.append(f"**Rising:** {', '.join(plain(one, 60) for one in digest.rising)}")
    lines.append(f"### To begin with: {plain(digest.brief, 300)}")
    sparks = [hit.snippet for hit in digest.sparks]
    lines += [f"**{link(one.title, one.address)}**\n{plain(one.text, 250)}" for one in sparks]
    lines.append(f"-# /brainstorm takes the brief · {digest_mark(digest.day)} · /settings digest ends it")
    return page("\n".join(lines))


def digest_lines(subscriptions: Sequence[Subscription]) -> str:
    """The channels of a server that get digests in Discord's markdown, for its settings."""
    told = [f"<#{one.channel}> {one.schedule}" for one in subscriptions[:SHOWN]]
    more = [f"and {len(subscriptions) - SHOWN} more"] if len(subscriptions) > SHOWN else []
    return ", ".join([*told, *more]) or "none (as I come)"
