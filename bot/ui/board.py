"""The idea board: a session as one or more Components V2 messages. Pure: a board in, pages out.

Discord allows 40 components and 4,000 characters of text in a message. An idea takes seven components (its text, a row
and five buttons), so a page holds five ideas at the most; what does not fit goes on in the next message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.ideation.journal import Entry
from bot.ideation.types import Idea, Move
from bot.ui.ids import Verb, parsed
from bot.ui.layout import MOST_COMPONENTS, MOST_TEXT, Child, Page, button, page, weight
from bot.ui.marks import plain, spark_links
from knowledge.types import Hit

SPARKS_SHOWN = 6
LONGEST_STATUS = 200
_FRAME, _TEXT, _IDEA = 1, 1, 7  # components: the container, a text, an idea with its row of five buttons
# The foot is given its greatest size from the beginning, so that it never jumps to another message but when ideas come.
_FOOT, _STATUS = 7, 2 * LONGEST_STATUS + 3

SECONDARY, PRIMARY = discord.ButtonStyle.secondary, discord.ButtonStyle.primary
SUCCESS, DANGER = discord.ButtonStyle.success, discord.ButtonStyle.danger


@dataclass(frozen=True, slots=True)
class Board:
    """What is to be shown of a session.

    `heading` is the brief or what is done with it, `status` the last line. With a `run_id` it still grows and has a
    Stop button; without one, a `session_id` gives it the session's verbs. Sparks are shown until there are ideas.
    """

    heading: str
    status: str
    session_id: str | None = None
    entries: tuple[Entry, ...] = ()
    sparks: tuple[Hit, ...] = ()
    run_id: str | None = None


def pages(board: Board) -> list[Page]:
    """The board's messages: the head on the first, the foot on the last. A board that grows never loses a page."""
    groups: list[list[Child]] = []
    room = Room()

    def put(components: int, size: int, *children: Child) -> None:
        nonlocal room
        if not groups or not room.takes(components, size):
            groups.append([])
            room = Room()
        room.fill(components, size)
        groups[-1] += children

    head = _head(board)
    put(_TEXT, weight(head), ui.TextDisplay(head))
    for entry in board.entries:
        text = idea_text(entry.idea)
        put(_IDEA, weight(text), ui.TextDisplay(text), _idea_row(entry))
    put(_FOOT, _STATUS, *_foot(board))
    return [page(*group) for group in groups]


class Room:
    """What is left of one message's room."""

    def __init__(self) -> None:
        self._components = MOST_COMPONENTS - _FRAME
        self._text = MOST_TEXT

    def takes(self, components: int, size: int) -> bool:
        """Whether so many components with so much text still fit."""
        return components <= self._components and size <= self._text

    def fill(self, components: int, size: int) -> None:
        """Take so much away."""
        self._components -= components
        self._text -= size


def idea_text(idea: Idea) -> str:
    """One idea in Discord's markdown: at the most about 3,500 characters, however hostile what it is made of."""
    lines = [
        f"### {idea.place}. {plain(idea.title, 100)}",
        plain(idea.body, 700),
        f"**First:** {plain(idea.first_step, 250)}",
    ]
    if idea.sparks and idea.provenance.grounded:
        lines.append(f"-# {plain(made_by(idea), 80)} · sparked by {spark_links(idea.sparks)}")
    elif idea.sparks:
        lines.append(f"-# {plain(made_by(idea), 80)} · no spark: it was shown {spark_links(idea.sparks)} and left it")
    else:
        lines.append(f"-# {plain(made_by(idea), 80)} · no spark")
    return "\n".join(lines)


def made_by(idea: Idea) -> str:
    """How an idea came to be, in a few words."""
    match idea.move:
        case Move.TWIST:
            return f"twist: {idea.how}"
        case Move.REMIX:
            return "remix"
        case Move.BRAINSTORM:
            return f"{idea.technique}, with another spark" if idea.parents else str(idea.technique)


def recounted(message: discord.Message, entries: dict[str, Entry]) -> Page:
    """A message as it is, but with the votes and keeps that its ideas (by id) have now."""
    view = ui.LayoutView.from_message(message, timeout=None)
    for item in view.walk_children():
        if isinstance(item, ui.Button) and item.custom_id and (what := parsed(item.custom_id)) is not None:
            verb, target = what
            if target in entries and verb in _FACES:
                item.label, item.style = _FACES[verb](entries[target])
    view.stop()
    return view


def _vote_face(entry: Entry) -> tuple[str, discord.ButtonStyle]:
    return (f"Vote · {entry.votes_for}", PRIMARY) if entry.votes_for else ("Vote", SECONDARY)


def _keep_face(entry: Entry) -> tuple[str, discord.ButtonStyle]:
    return (f"Kept · {len(entry.kept_by)}", SUCCESS) if entry.kept_by else ("Keep", SECONDARY)


_FACES = {Verb.VOTE: _vote_face, Verb.KEEP: _keep_face}


def _head(board: Board) -> str:
    lines = [f"## {plain(board.heading, 300)}"]
    if board.sparks and not board.entries:
        lines.append(f"-# Sparks found: {spark_links(board.sparks, SPARKS_SHOWN)}")
    return "\n".join(lines)


def _idea_row(entry: Entry) -> ui.ActionRow[Any]:
    target = entry.idea.id
    return ui.ActionRow(
        button(Verb.VOTE, target, *_vote_face(entry)),
        button(Verb.KEEP, target, *_keep_face(entry)),
        button(Verb.TWIST, target, "Twist…"),
        button(Verb.EXPAND, target, "Expand"),
        button(Verb.WHY, target, "Why"),
    )


def _foot(board: Board) -> list[Child]:
    status = ui.TextDisplay[ui.LayoutView](f"-# {plain(board.status, LONGEST_STATUS)}")
    if board.run_id is not None:
        return [status, ui.ActionRow(button(Verb.STOP, board.run_id, "Stop", DANGER))]
    if board.session_id is None or not board.entries:
        return [status]
    target = board.session_id
    row: ui.ActionRow[Any] = ui.ActionRow(
        button(Verb.MORE, target, "More", PRIMARY),
        button(Verb.WILDER, target, "Wilder"),
        button(Verb.REMIX, target, "Remix two…"),
        button(Verb.SWAP, target, "Swap sparks"),
        button(Verb.EXPORT, target, "Export"),
    )
    return [status, row]
