"""Custom ids of lasting buttons: `k1:verb:target`, of which the 1 is the version of this scheme.

A button must work after a restart, so all that its callback needs stands in its id: the verb and the id of an idea or a
session. Discord allows 100 characters.
"""

from __future__ import annotations

import re
from enum import StrEnum

PATTERN = re.compile(r"k1:(?P<verb>[a-z]+):(?P<target>[0-9a-f]{10})")


class Verb(StrEnum):
    """What a button does. The first block acts on an idea, the second on a session."""

    VOTE = "vote"
    KEEP = "keep"
    TWIST = "twist"
    EXPAND = "expand"
    WHY = "why"

    MORE = "more"
    WILDER = "wilder"
    REMIX = "remix"
    SWAP = "swap"
    EXPORT = "export"
    STOP = "stop"


def custom_id(verb: Verb, target: str) -> str:
    """The custom id of a verb on an idea or a session."""
    return f"k1:{verb}:{target}"


def targets(custom_ids: list[str], verb: Verb) -> list[str]:
    """The targets of those custom ids that have this verb, in order: what is on a message, read back from it."""
    found = (PATTERN.fullmatch(one) for one in custom_ids)
    return [match["target"] for match in found if match and match["verb"] == verb]
