"""Small pages: a duel, an outline, why an idea is as it is, sparks alone, one line. Pure: values in, pages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discord import ui

from bot.ideation.choices import Learned
from bot.ideation.journal import Entry
from bot.ideation.techniques import OPERATIONS
from bot.ui.board import made_by
from bot.ui.ids import Verb
from bot.ui.layout import MOST_TEXT, Page, button, page, weight
from bot.ui.marks import link, plain
from knowledge.types import Hit


def note(text: str) -> Page:
    """One line."""
    return page(plain(text, 1500) or "…")


def duel_page(first: Entry, second: Entry, decided: int) -> Page:
    """Two ideas for one brief, and a button for each; `decided` duels came before on this message."""
    lines = [f"## Which would you rather have?\n-# {plain(first.brief.line, 300)}"]
    for number, entry in enumerate((first, second), start=1):
        lines.append(f"### {number}. {plain(entry.idea.title, 100)}\n{plain(entry.idea.body, 700)}")
    done = "a duel" if decided == 1 else f"{decided} duels"
    thanks = f"-# {done} decided: the next brainstorms here lean that way" if decided else "-# only you see this"
    row: ui.ActionRow[Any] = ui.ActionRow(
        button(Verb.PREFER, first.idea.id, "The first"),
        button(Verb.PREFER, second.idea.id, "The second"),
        button(Verb.NEITHER, first.idea.id, "Another two"),
    )
    return page(*lines, row, thanks)


def learned_page(learned: Learned) -> Page:
    """What a space's choices say of its taste, and whether that counts."""
    lines = ["## What I learned here"]
    if not learned.choices:
        lines.append("Nothing yet: votes, keeps and /ideas duel are what I learn from.")
    else:
        people = "one person" if learned.people == 1 else f"{learned.people} people"
        choices = "one choice" if learned.choices == 1 else f"{learned.choices:,} choices"
        lines.append(f"From {choices} by {people}. Of several good drafts, those that resemble what was chosen gain.")
        lines += [f"**Leans towards:** {plain(', '.join(learned.towards), 300)}"] if learned.towards else []
        lines += [f"**Leans away from:** {plain(', '.join(learned.away), 300)}"] if learned.away else []
    lines.append("It counts." if learned.learns else "Learning is off: none of it counts.")
    lines.append("-# /settings learning switches it on or off, or forgets it; only this server's choices count here")
    return page("\n".join(lines))


def outline_page(entry: Entry, steps: Sequence[str]) -> Page:
    """An idea in five steps."""
    numbered = [f"{number}. {plain(step, 300)}" for number, step in enumerate(steps[:5], start=1)]
    return page("\n".join([f"### {plain(entry.idea.title, 100)}, step by step", *numbered, "-# machine-made outline"]))


def why_page(entry: Entry) -> Page:
    """Where an idea comes from: its sparks in their own words, its technique, and what would make it again."""
    idea, made = entry.idea, entry.idea.provenance
    lines = [f"### Why “{plain(idea.title, 100)}”", f"**Brief:** {plain(entry.brief.line, 300)}"]
    lines.append(f"**Technique:** {idea.technique}. {OPERATIONS[idea.technique].move}")
    if idea.parents:
        lines.append(
            f"**Made from:** {len(idea.parents)} earlier {_plural('idea', len(idea.parents))} ({made_by(idea)})"
        )
    lines += [f"**Spark:** {_spark(hit)}" for hit in idea.sparks[:2]]
    if idea.sparks and not made.grounded:
        lines.append("The text makes no visible use of its spark.")
    elif not idea.sparks:
        lines.append("It has no spark any more: what it was made from was deleted from the library.")
    lines.append(
        f"-# {plain(made.model, 100)} · seed {made.seed} · {made.created_at[:16].replace('T', ' ')} UTC · {idea.id}"
    )
    return page("\n".join(lines))


def sparks_page(topic: str, hits: Sequence[Hit]) -> Page:
    """Sparks alone, no model: what was found, where it lies and why."""
    lines = [f"## Sparks: {plain(topic, 200)}" if topic else "## Sparks from anywhere"]
    foot = "-# found, not written: no model was asked"
    left = MOST_TEXT - weight(lines[0]) - weight(foot) - 2
    for hit in hits:
        block = f"**{link(hit.snippet.title, hit.snippet.address)}** · {hit.band}\n{plain(hit.snippet.text, 300)}"
        if weight(block) + 2 > left:
            break
        left -= weight(block) + 2
        lines += [block, ""]
    return page("\n".join([*lines, foot]))


def _spark(hit: Hit) -> str:
    told = [hit.snippet.date, hit.snippet.author, hit.snippet.licence]
    about = " · ".join(plain(one, 40) for one in told if one)
    title = link(hit.snippet.title, hit.snippet.address)
    return f"{title}{f' ({about})' if about else ''}: {plain(hit.snippet.text, 250)}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
