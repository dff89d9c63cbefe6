"""Ideas that readers rated for sense, and what follows from it: of one question, which answer is better than which.

A line of `rated/*.jsonl` is a question and the model's own answers to it:

    {"brief": ..., "spark": ..., "technique": ...,
     "answers": [{"title": ..., "idea": ..., "sense": 2.5, "mended": "the idea as it would make sense"}, ...]}

`sense` goes from 0 (muddled) to 5 (clear, and one would try it). Some ideas were also `mended`: changed as little as it
took to be clear. This module knows neither tokens nor weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ideation.lexical import content_words
from training.examples import BadExample, Example, render

APART = 0.75
"""How much more a pair's better answer is worth, at least: readers differ by one now and then."""
SPARKLESS = 1.5
"""What an answer loses that uses no word of its spark: the clearest idea may be the one that leaves the spark out."""
MOST_BORROWED = 4
"""How many of the words that it takes from its spark count for it."""
LENGTHS = range(18, 25)
OTHER_LENGTH, AT_MOST = 0.2, 1.0
"""What it loses for each word that it has fewer or more than LENGTHS, and what at most: shorter ones fail the
yardstick's fluency."""
FRAMED = 0.25
"""What one loses that opens with "In the", as a fifth of the model's do."""


@dataclass(frozen=True, slots=True)
class Taste:
    """What counts beside sense: what an answer gains for each word that it takes from its spark, and what it loses as
    far as its words are the brief's. What says the brief again is clear, and ten of it are alike."""

    borrowed: float = 0.2
    echoed: float = 3.0


TASTE = Taste()


@dataclass(frozen=True, slots=True)
class Rated:
    """One answer as an example of its question, what it is worth, and the same mended, if it was."""

    example: Example
    worth: float
    mended: Example | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Answers to one question; `pairs` are places in `answers`, of a better one and a worse."""

    answers: tuple[Example, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def brief(self) -> str:
        """What they are about."""
        return self.answers[0].brief


def read_rated(paths: Iterable[Path], taste: Taste = TASTE) -> list[list[Rated]]:
    """The answers by question, in order. Raises `BadExample` with the file and line of the first bad one."""
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                record = json.loads(line)
                found.append([_rated(record, answer, taste) for answer in record["answers"]])
            except (ValueError, KeyError, TypeError) as error:
                raise BadExample(f"{path}, line {number}, is no rated question: {error!r}.") from error
    return found


def told_apart(questions: Sequence[Sequence[Rated]], apart: float = APART, *, mended: bool = True) -> list[Ranked]:
    """The questions in which two answers are `apart` or more in worth (or one was `mended`), with all such pairs."""
    ranked = []
    for answers in questions:
        places = list(enumerate(answers))
        pairs = [(i, j) for i, one in places for j, other in places if one.worth - other.worth >= apart]
        examples = [answer.example for answer in answers]
        for place, answer in places:
            if mended and answer.mended:
                pairs.append((len(examples), place))
                examples.append(answer.mended)
        if pairs:
            ranked.append(Ranked(tuple(examples), tuple(pairs)))
    return ranked


def _rated(record: dict[str, Any], answer: dict[str, Any], taste: Taste) -> Rated:
    def example(idea: str) -> Example:
        given = {"brief": record["brief"], "inspirations": [record["spark"]], "technique": record["technique"]}
        output = {"title": answer["title"], "idea": idea, "first_step": ""}  # what was read has no first step
        return render({"task": "brainstorm", "input": given, "output": output})

    brief, said = set(content_words(record["brief"])), content_words(answer["idea"])
    borrowed = len(set(said) & set(content_words(record["spark"])) - brief)
    worth = float(answer["sense"]) - SPARKLESS * (borrowed == 0)
    worth += taste.borrowed * min(MOST_BORROWED, borrowed)
    worth -= taste.echoed * sum(word in brief for word in said) / max(1, len(said))
    count = len(answer["idea"].split())
    worth -= min(AT_MOST, OTHER_LENGTH * max(0, LENGTHS.start - count, count - LENGTHS.stop + 1))
    worth -= FRAMED * answer["idea"].startswith("In the ")
    return Rated(example(answer["idea"]), worth, example(answer["mended"]) if "mended" in answer else None)
