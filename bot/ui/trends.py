"""What rises and fades, as a page: the picture, then each theme with its snippets. Pure: values in, a page out."""

from __future__ import annotations

import discord
from discord import ui

from bot.chart import about, change, described
from bot.ui.layout import MOST_TEXT, Page, page, weight
from bot.ui.marks import cut, link, plain
from knowledge.trends import Direction, Outlook, Trend

PICTURE = "trends.png"
LONGEST_DESCRIPTION = 1024  # characters of an alternative text

_MARKS = {Direction.NEW: "new", Direction.RISING: "rising", Direction.FADING: "fading"}
_FOOT = "-# /brainstorm with a trend: takes its sparks from one; the technique counter-trend goes against what rises"


def trends_page(outlook: Outlook, *, pictured: bool) -> Page:
    """The trends, surest first; if it is `pictured`, below the picture `PICTURE`, which is to be sent along."""
    heading = f"## Trends: {plain(outlook.topic, 200)}" if outlook.topic else "## Trends"
    foot = f"-# {plain(about(outlook), 600)}"
    lines = [foot, _FOOT] if outlook.trends else [plain(about(outlook), 600)]
    left = MOST_TEXT - weight("\n".join([heading, *lines])) - 2
    blocks: list[str] = []
    for trend in outlook.trends:
        block = _block(trend)
        if weight(block) + 1 > left:
            break
        left -= weight(block) + 1
        blocks.append(block)
    text = "\n".join([*blocks, *lines])
    if not pictured:
        return page(f"{heading}\n{text}")
    alternative = cut(described(outlook), LONGEST_DESCRIPTION)
    gallery: ui.MediaGallery[Page] = ui.MediaGallery(
        discord.MediaGalleryItem(f"attachment://{PICTURE}", description=alternative)
    )
    return page(heading, gallery, text)


def _block(trend: Trend) -> str:
    head = f"**{plain(trend.name, 80)}** · {_MARKS[trend.direction]} {change(trend)}"
    told = [
        f"{link(one.title, one.address)}{f' ({plain(one.date, 20)})' if one.date else ''}" for one in trend.examples
    ]
    return "\n".join([f"{head} · {trend.lately:.0f} lately, {trend.before:.0f} before", f"-# {' · '.join(told)}"])
