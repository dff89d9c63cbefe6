"""The house rules of a server, as they are read. Pure: values in, a page out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.ideation.rules import ChannelRules
from bot.ui.layout import MOST_TEXT, Page, page, weight
from bot.ui.marks import plain

FOOT = "-# /settings reset takes any of it back"


def house_page(server: Sequence[tuple[str, str]], channels: Mapping[int, ChannelRules]) -> Page:
    """What holds in the server, as (name, value in Discord's markdown), and what each channel has of its own."""
    lines = ["## Settings", *(f"**{name}:** {value}" for name, value in server)]
    left = MOST_TEXT - weight("\n".join([*lines, FOOT])) - 40
    for number, (channel, rules) in enumerate(channels.items()):
        block = "\n".join([f"### <#{channel}>", *_own(rules)])
        if weight(block) + 1 > left:
            lines.append(f"and {len(channels) - number} more channels")
            break
        left -= weight(block) + 1
        lines.append(block)
    return page("\n".join([*lines, FOOT]))


def _own(rules: ChannelRules) -> list[str]:
    told = [
        ("Audience", rules.audience),
        ("Tone", rules.tone),
        ("Project", rules.brief),
        ("Never shown", ", ".join(rules.banned)),
    ]
    return [f"**{name}:** {plain(value, 400)}" for name, value in told if value]
