"""The idea board: a session as one or more Components V2 messages. Pure: a board in, views out.

Discord allows 40 components and 4,000 characters of text in a message. An idea takes seven components (its text, a row
and five buttons), so a page holds at most four ideas beside the head and the foot; longer boards go on in the next
message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import discord
from discord import ui

from bot.ideation.journal import Entry
from bot.ideation.types import Brief, Move
from bot.ui.ids import Verb, custom_id
from bot.ui.marks import plain, spark_links
from knowledge.types import Hit

IDEAS_A_PAGE = 4
MOST_TEXT = 3900  # of Discord's 4,000 characters: escapes are counted by Discord, not by us, the same way
EMBER = discord.Colour(0xE8722A)


@dataclass(frozen=True, slots=True)
class Board:
    """What is to be shown of a session. `status` is its last line; `running` shows Stop instead of the verbs."""

    session_id: str
    brief: Brief
    sparks: tuple[Hit, ...]
    entries: tuple[Entry, ...]
    status: str
    running: bool
    first_number: int = 1


def pages(board: Board) -> list[ui.LayoutView]:
    """The board's messages, each a fresh view. The head is on the first page and the foot on the last."""
    groups = _groups(board.entries) or [()]
    number = board.first_number
    views = []
    for place, group in enumerate(groups):
        children: list[ui.Item[ui.LayoutView]] = []
        if place == 0:
            children.append(ui.TextDisplay(_head(board)))
        for entry in group:
            children.append(ui.TextDisplay(idea_text(entry, number)))
            children.append(_idea_row(entry))
            number += 1
        if place == len(groups) - 1:
            children.append(ui.TextDisplay(f"-# {board.status}"))
            children.append(_stop_row(board) if board.running else _session_row(board))
        view = ui.LayoutView(timeout=None)
        view.add_item(ui.Container(*children, accent_colour=EMBER))
        views.append(view)
    return views


def idea_text(entry: Entry, number: int | None = None) -> str:
    """One idea in Discord's markdown."""
    idea = entry.idea
    how = {Move.BRAINSTORM: str(idea.technique), Move.TWIST: f"twist: {idea.how}", Move.REMIX: "remix"}[idea.move]
    lines = [
        f"### {f'{number}. ' if number else ''}{plain(idea.title, 120)}",
        plain(idea.body, 600),
        f"**First:** {plain(idea.first_step, 300)}",
    ]
    if idea.sparks and idea.provenance.grounded:
        lines.append(f"-# {plain(how, 80)} · sparked by {spark_links(idea.sparks)}")
    elif idea.sparks:
        lines.append(f"-# {plain(how, 80)} · no spark: it was shown {spark_links(idea.sparks)} and left it")
    else:
        lines.append(f"-# {plain(how, 80)} · no spark")
    return "\n".join(lines)


def _groups(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    """Entries in pages that keep Discord's limits; the first page leaves room for the head."""
    groups: list[list[Entry]] = []
    room = 0
    for entry in entries:
        size = len(idea_text(entry, 99))
        if not groups or len(groups[-1]) == IDEAS_A_PAGE or size > room:
            groups.append([])
            room = MOST_TEXT - 900  # head and status, at their longest
        groups[-1].append(entry)
        room -= size
    return [tuple(group) for group in groups]


def _head(board: Board) -> str:
    lines = [f"## {plain(board.brief.line, 300)}"]
    if board.sparks and not board.entries:
        names = " · ".join(plain(hit.snippet.title, 60) for hit in board.sparks[:8])
        lines.append(f"-# sparks found: {names}")
    return "\n".join(lines)


def _button(
    verb: Verb, target: str, label: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary
) -> ui.Button[ui.LayoutView]:
    return ui.Button(label=label, style=style, custom_id=custom_id(verb, target))


def _idea_row(entry: Entry) -> ui.ActionRow[ui.LayoutView]:
    target = entry.idea.id
    votes = f"Vote · {entry.votes_for}" if entry.votes_for else "Vote"
    kept = f"Kept · {len(entry.kept_by)}" if entry.kept_by else "Keep"
    return ui.ActionRow(
        _button(
            Verb.VOTE, target, votes, discord.ButtonStyle.primary if entry.votes_for else discord.ButtonStyle.secondary
        ),
        _button(
            Verb.KEEP, target, kept, discord.ButtonStyle.success if entry.kept_by else discord.ButtonStyle.secondary
        ),
        _button(Verb.TWIST, target, "Twist…"),
        _button(Verb.EXPAND, target, "Expand"),
        _button(Verb.WHY, target, "Why"),
    )


def _session_row(board: Board) -> ui.ActionRow[ui.LayoutView]:
    target = board.session_id
    return ui.ActionRow(
        _button(Verb.MORE, target, "More", discord.ButtonStyle.primary),
        _button(Verb.WILDER, target, "Wilder"),
        _button(Verb.REMIX, target, "Remix two…"),
        _button(Verb.SWAP, target, "Swap sparks"),
        _button(Verb.EXPORT, target, "Export"),
    )


def _stop_row(board: Board) -> ui.ActionRow[ui.LayoutView]:
    return ui.ActionRow(_button(Verb.STOP, board.session_id, "Stop", discord.ButtonStyle.danger))
