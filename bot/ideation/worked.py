"""Worked examples: three are shown to small untuned models, and all their briefs serve as the other people's briefs
against which a candidate's relevance is judged. Their ideas are longer than those that the embedded model learned from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

from bot.ideation import prompts
from bot.ideation.types import Brief, Technique, Words
from bot.language.base import Message


@dataclass(frozen=True, slots=True)
class Worked:
    """A brief, a spark and the idea that a person made of them."""

    brief: str
    spark: str
    technique: Technique
    words: Words


@cache
def worked_examples() -> tuple[Worked, ...]:
    """All of them, in the file's order; the first three are the ones to show."""
    text = resources.files("bot.ideation").joinpath("worked.jsonl").read_text(encoding="utf-8")
    return tuple(
        Worked(
            row["brief"],
            row["spark"],
            Technique(row["technique"]),
            Words(row["title"], row["idea"], row["first_step"]),
        )
        for row in map(json.loads, text.splitlines())
    )


def shown(count: int = 3) -> list[Message]:
    """Worked examples as turns of a conversation, for a model that copies better than it obeys."""
    turns: list[Message] = []
    for example in worked_examples()[:count]:
        turns.append(prompts.brainstorm(Brief(example.brief), [example.spark], example.technique, prompts.Style.SHOWN))
        turns.append(prompts.idea_answer(example.words))
    return turns
