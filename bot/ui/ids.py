"""Custom ids of lasting items: `k1:verb:target`, of which the 1 is the version of this scheme.

A button must work after a restart, so all that its callback needs stands in its id: the verb and the id of an idea, a
session or a run. Discord allows 100 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import discord

PATTERN = re.compile(r"k1:(?P<verb>[a-z]+):(?P<target>[0-9a-f]{10})")
OUTDATED = re.compile(r"k(?!1:)\d+:.*")


class Verb(StrEnum):
    """What an item does. The first block acts on an idea, the second on a session, the third on a run."""

    VOTE = "vote"
    KEEP = "keep"
    TWIST = "twist"
    TWISTED = "twisted"
    EXPAND = "expand"
    WHY = "why"
    PREFER = "prefer"
    NEITHER = "neither"

    MORE = "more"
    WILDER = "wilder"
    REMIX = "remix"
    REMIXED = "remixed"
    SWAP = "swap"
    SWAPPED = "swapped"
    EXPORT = "export"

    STOP = "stop"


def custom_id(verb: Verb, target: str) -> str:
    """The custom id of a verb on an idea, a session or a run."""
    return f"k1:{verb}:{target}"


def parsed(custom_id: str) -> tuple[Verb, str] | None:
    """The verb and the target of a custom id; None for one that is not ours or of another version."""
    match = PATTERN.fullmatch(custom_id)
    if match is None or match["verb"] not in set(Verb):
        return None
    return Verb(match["verb"]), match["target"]


def targets(message: discord.Message, verb: Verb) -> list[str]:
    """The targets of a message's items that have this verb, in order: what is on it, read back from it."""
    found = (parsed(one) for one in _custom_ids(message.components))
    return [pair[1] for pair in found if pair and pair[0] is verb]


def _custom_ids(components: Iterable[Any]) -> Iterator[str]:
    for component in components:
        if getattr(component, "custom_id", None):
            yield component.custom_id
        yield from _custom_ids(getattr(component, "children", ()))
