"""What asks a person something: the twist form, and selects of ideas. Built for one use, understood after a restart.

discord.py forgets an open form when the bot restarts. These are sent stopped, so that it never remembers them: whoever
submits one is answered by its custom id, which says all (see bot/cogs/board.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import ui

from bot.ideation.journal import Entry
from bot.ui.ids import Verb, custom_id
from bot.ui.layout import Page, page
from bot.ui.marks import cut

TWISTS = (
    "wilder",
    "simpler",
    "darker",
    "funnier",
    "quieter",
    "for children",
    "at no cost",
    "without screens",
    "half the size",
)
MOST_CHOICES = 25
LONGEST_TWIST = 60


def twist_form(idea_id: str) -> ui.Modal:
    """How shall the idea be twisted: a choice, or words of one's own."""
    form = ui.Modal(title="Twist this idea", custom_id=custom_id(Verb.TWISTED, idea_id), timeout=None)
    choices = [discord.SelectOption(label=how, value=how) for how in TWISTS]
    form.add_item(
        ui.Label(
            text="Make it",
            component=ui.Select(
                custom_id="preset", options=choices, placeholder="Pick one", required=False, min_values=0
            ),
        )
    )
    form.add_item(
        ui.Label(
            text="Or in your own words",
            description="A few words: set in winter, for two people, in one colour.",
            component=ui.TextInput(custom_id="words", required=False, max_length=LONGEST_TWIST),
        )
    )
    form.stop()
    return form


def twist_wanted(data: Mapping[str, Any]) -> str:
    """How the submitted form wants the idea: own words first; empty when nothing was entered."""
    entered = entries_of(data)
    return str(entered.get("words") or "").strip() or next(iter(entered.get("preset") or ()), "")


def entries_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a submitted form holds: each field's text, or the values picked in it, by custom id."""
    found: dict[str, Any] = {}
    for component in data.get("components", ()):
        for field in (component.get("component"), *component.get("components", ())):
            if field and "custom_id" in field:
                found[field["custom_id"]] = field["values"] if "values" in field else field.get("value")
    return found


def idea_select(entries: Sequence[Entry], verb: Verb, session_id: str, question: str, count: int) -> Page:
    """A select of `count` of these ideas; the first 25 of them can be offered."""
    options = [
        discord.SelectOption(
            label=cut(f"{entry.idea.place}. {entry.idea.title}", 100),
            description=cut(entry.idea.body, 100) or None,
            value=entry.idea.id,
        )
        for entry in entries[:MOST_CHOICES]
    ]
    select: ui.Select[Any] = ui.Select(
        custom_id=custom_id(verb, session_id), placeholder=question, options=options, min_values=count, max_values=count
    )
    return page(ui.ActionRow(select))
