"""What happens during a brainstorm, in order: Begun, Found, then Progress and Ready mixed, and Finished at last.

Faces render these; a stream that raises after `Found` has at least given its sparks.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.ideation.types import Idea, Session
from knowledge.types import Hit


@dataclass(frozen=True, slots=True)
class Begun:
    """The session exists; its seed is known."""

    session: Session


@dataclass(frozen=True, slots=True)
class Found:
    """The sparks that the ideas will be made from."""

    sparks: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """`written` of `of` candidates have been written and judged so far."""

    written: int
    of: int


@dataclass(frozen=True, slots=True)
class Ready:
    """An idea to show; it is already in the journal."""

    idea: Idea


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall-clock times since the request; `first_idea` is None when there was none."""

    retrieve: float
    first_idea: float | None
    total: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The end: how many candidates were written, how many of them passed all gates, and how long it took."""

    session: Session
    ideas: tuple[Idea, ...]
    written: int
    passed: int
    seconds: Seconds


Event = Begun | Found | Progress | Ready | Finished
