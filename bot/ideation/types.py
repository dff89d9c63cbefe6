"""The values of ideation: brief, technique, idea, session. Frozen; they know no prompts and no store."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from knowledge.types import Hit


class Technique(StrEnum):
    """A named move that provokes ideas. What each one does stands in techniques.py."""

    DIRECT = "direct"
    COMBINE = "combine"
    ANALOGY = "analogy"
    REVERSE = "reverse"
    CONSTRAINT = "constraint"
    PERSPECTIVE = "perspective"
    EXAGGERATE = "exaggerate"
    SUBTRACT = "subtract"
    COUNTER_TREND = "counter-trend"


class Move(StrEnum):
    """How an idea came to be: from a brief alone, or from one or two earlier ideas."""

    BRAINSTORM = "brainstorm"
    TWIST = "twist"
    REMIX = "remix"


@dataclass(frozen=True, slots=True)
class Brief:
    """What the person wants ideas about. `text` is clean (see brief.py); audience and tone may come from a channel."""

    text: str
    audience: str | None = None
    tone: str | None = None

    @property
    def line(self) -> str:
        """The brief as one line, with the audience and the tone where they are known."""
        extras = [f"for {self.audience}"] if self.audience else []
        extras += [f"tone: {self.tone}"] if self.tone else []
        return f"{self.text} ({'; '.join(extras)})" if extras else self.text


@dataclass(frozen=True, slots=True)
class Words:
    """What a model wrote for one idea, parsed: nothing yet says where it came from."""

    title: str
    body: str
    first_step: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that is needed to make an idea again, and to say honestly how it was made.

    `prompt_hash` is the SHA-256 of the exact messages; `seed` and `temperature` are those of this one candidate;
    `seconds` runs from the request to this idea; `grounded` says whether it uses its spark; `created_at` is ISO 8601
    in UTC.
    """

    model: str
    prompt_hash: str
    seed: int
    temperature: float
    created_at: str
    seconds: float
    grounded: bool


@dataclass(frozen=True, slots=True)
class Idea:
    """One proposal: title, idea (`body`), first step, technique, the snippets that sparked it and how it was made.

    `place` counts from 1 in the order shown in its session. `parents` are the ids of the ideas it was twisted or
    remixed from; `how` is the wish of a twist ("wilder").
    """

    id: str
    session_id: str
    place: int
    title: str
    body: str
    first_step: str
    technique: Technique
    sparks: tuple[Hit, ...]
    provenance: Provenance
    move: Move = Move.BRAINSTORM
    parents: tuple[str, ...] = ()
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One brief and all that it produced, in one space."""

    id: str
    space: str
    brief: Brief
    seed: int
    model: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Critique:
    """What holds an idea up, what could sink it, and a question back to its author."""

    strength: str
    risk: str
    question: str
