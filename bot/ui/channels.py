"""Inspiration channels, as they are told of: the note in the channel, the list, the progress of reading back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.ideation.followed import Followed, Reading
from bot.ui.layout import Page, page
from bot.ui.marks import plain

SHOWN = 20

STANDING = {
    Reading.GOING: "Reading the older messages of",
    Reading.STOPPED: "Stopped reading the older messages of",
    Reading.DONE: "Read all older messages of",
    Reading.NOT_BEGUN: "No older messages are read of",
}


def kept_note(switched_by: str, mark: str | None, out: str) -> Page:
    """What a channel is told when its messages begin to be kept."""
    marked = f"What I keep gets {mark}. " if mark else ""
    return page(
        "## Inspiration is kept here\n"
        f"{plain(switched_by, 60)} asked me to keep what you share in this channel from now on: messages with their "
        "links, the names and descriptions of pictures and files, and what is shown of links, with your name, the date "
        "and a link back. Ideas may start from it; only people who can see this channel are shown it. "
        f"{marked}Bots, commands and single words are left out.\n"
        "**Edit or delete a message**, and what I kept follows. "
        f"**React to yours with {out}** to leave it out, take the reaction back to let it in. "
        "**`/privacy inspiration kept:False`** removes all of yours and keeps it so; `kept:True` is the way back."
    )


def off_note() -> Page:
    """What a channel is told when its messages are kept no longer."""
    return page(
        "No new messages of this channel are kept from now on. What was kept stays until it is deleted here or removed."
    )


def progress_page(followed: Followed, stop: ui.ActionRow[Any] | None) -> Page:
    """How far the reading of older messages is."""
    text = (
        f"### {STANDING[followed.reading]} <#{followed.channel}>\n"
        f"{followed.read:,} read, {followed.found:,} of them kept"
    )
    if followed.reading is not Reading.DONE and followed.read:
        text += f"; back to {_day(followed.since)}"
    text += {
        Reading.GOING: ".\n-# It goes on by itself, after a restart too.",
        Reading.STOPPED: ".\n-# /library backfill reads on from there.",
    }.get(followed.reading, ".")
    return page(text, *([stop] if stop is not None else []))


def channel_lines(followed: Sequence[Followed]) -> str:
    """The inspiration channels of a server in Discord's markdown, for its settings."""
    told = [f"<#{one.channel}> ({one.kept:,} kept{'' if one.on else ', off'})" for one in followed[:SHOWN]]
    more = [f"and {len(followed) - SHOWN} more"] if len(followed) > SHOWN else []
    return ", ".join([*told, *more]) or "none"


def _day(message_id: int) -> str:
    """The day of a message, by its number."""
    made = discord.utils.snowflake_time(message_id)
    return f"{made.day} {made:%B %Y}"
