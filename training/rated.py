"""Ideas that readers rated for sense, and the pairs that follow: of one question, the clearer and the more muddled.

A line of `rated/*.jsonl` is a question and the model's own answers to it:

    {"brief": ..., "spark": ..., "technique": ..., "answers": [{"title": ..., "idea": ..., "sense": 2.5}, ...]}

`sense` goes from 0 (muddled) to 5 (clear, and one would try it). This module knows neither tokens nor weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ideation.lexical import content_words
from training.examples import BadExample, Example, render

APART = 1.0
"""How much more a pair's better answer is worth, at least: readers differ by one now and then."""
MOST = 4
"""Pairs of one question, at most."""
SPARKLESS = 1.5
"""What an answer loses that uses no word of its spark: the clearest idea may be the one that leaves the spark out."""
LENGTHS = range(13, 25)
OTHER_LENGTH = 1.0
"""What one of another number of words than LENGTHS loses: shorter ones fail the yardstick's fluency."""


@dataclass(frozen=True, slots=True)
class Rated:
    """One answer as an example of its question, and what it is worth."""

    example: Example
    worth: float


Pairs = list[tuple[Example, Example]]


def read_rated(paths: Iterable[Path]) -> list[list[Rated]]:
    """The answers by question, in order. Raises `BadExample` with the file and line of the first bad one."""
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                record = json.loads(line)
                found.append([_rated(record, answer) for answer in record["answers"]])
            except (ValueError, KeyError, TypeError) as error:
                raise BadExample(f"{path}, line {number}, is no rated question: {error!r}.") from error
    return found


def told_apart(questions: Sequence[Sequence[Rated]], apart: float = APART, most: int = MOST) -> Pairs:
    """(better, worse) for every two answers to one question that are `apart` or more in worth.

    At most `most` of a question, those that are furthest apart.
    """
    pairs: Pairs = []
    for answers in questions:
        ranked = sorted(
            ((better.worth - worse.worth, i, j) for i, better in enumerate(answers) for j, worse in enumerate(answers)),
            key=lambda found: (-found[0], found[1], found[2]),
        )
        chosen = [(i, j) for difference, i, j in ranked if difference >= apart][:most]
        pairs += [(answers[i].example, answers[j].example) for i, j in chosen]
    return pairs


def _rated(record: dict[str, Any], answer: dict[str, Any]) -> Rated:
    given = {"brief": record["brief"], "inspirations": [record["spark"]], "technique": record["technique"]}
    output = {"title": answer["title"], "idea": answer["idea"], "first_step": ""}  # what was read has no first step
    example = render({"task": "brainstorm", "input": given, "output": output})
    spark = set(content_words(record["spark"])) - set(content_words(record["brief"]))
    worth = float(answer["sense"])
    worth -= SPARKLESS * spark.isdisjoint(content_words(answer["idea"]))
    worth -= OTHER_LENGTH * (len(answer["idea"].split()) not in LENGTHS)
    return Rated(example, worth)
