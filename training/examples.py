"""Training examples: from a line of JSON to the conversation that the model shall learn.

Rendering goes through bot/ideation/prompts.py, the functions that run time uses, so that what was learned is what is
asked. This module knows neither tokens nor weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.ideation import prompts
from bot.ideation.types import Brief, Critique, Technique, Words
from bot.language.base import Message
from knowledge.errors import KindlingError


class BadExample(KindlingError):
    """A line that is no training example."""


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation to learn from: `messages` is what is asked, `answer` what should come.

    `brief` is what the example is about (a chat's first message, for want of a brief): examples with the same brief
    never part between training and held-out.
    """

    task: str
    brief: str
    messages: tuple[Message, ...]
    answer: str


def read(paths: Iterable[Path]) -> list[Example]:
    """All examples of JSON Lines files, in order. Raises `BadExample` with the file and line of the first bad one."""
    examples = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise BadExample(f"{path} can't be read: {error.strerror}. Give a JSON Lines file of examples.") from error
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                examples.append(render(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise BadExample(f"{path}, line {number}, is no training example: {error!r}.") from error
    return examples


def render(record: dict[str, Any]) -> Example:
    """One record, {"task", "input", "output"}, as a conversation. Raises KeyError, ValueError or TypeError."""
    task, given, wanted = record["task"], record["input"], record["output"]
    if task not in _RENDERERS:
        raise ValueError(f"unknown task {task!r}")
    brief, asked, answer = _RENDERERS[task](given, wanted)
    return Example(task, brief, (prompts.system(prompts.Style.BARE), *asked), answer)


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(training, held-out) by a hash of the brief: a brief falls on the same side whatever else is in the files.

    About `share` of the briefs, in [0, 1], are held out.
    """
    training: list[Example] = []
    held_out: list[Example] = []
    for example in examples:
        (held_out if fraction(example.brief, seed) < share else training).append(example)
    return training, held_out


def fraction(brief: str, seed: int) -> float:
    """A number in [0, 1) that depends on the brief's words and the seed alone."""
    key = f"{seed} {' '.join(brief.lower().split())}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64


Rendered = tuple[str, Sequence[Message], str]


def _idea(output: dict[str, Any]) -> str:
    return prompts.idea_answer(Words(output["title"], output["idea"], output["first_step"])).text


def _brainstorm(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    brief = Brief(given["brief"], given.get("audience"), given.get("tone"))
    asked = prompts.brainstorm(brief, given["inspirations"], Technique(given["technique"]), prompts.Style.BARE)
    return given["brief"], [asked], _idea(wanted)


def _twist(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    idea = given["idea"]
    asked = prompts.twist(Brief(given["brief"]), idea["title"], idea["idea"], given["twist"])
    return given["brief"], [asked], _idea(wanted)


def _remix(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    first, second = ((given[letter]["title"], given[letter]["idea"]) for letter in "ab")
    return given["brief"], [prompts.remix(Brief(given["brief"]), first, second)], _idea(wanted)


def _critique(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    asked = prompts.critique(Brief(given["brief"]), given["idea"]["title"], given["idea"]["idea"])
    answer = prompts.critique_answer(Critique(wanted["strength"], wanted["risk"], wanted["question"]))
    return given["brief"], [asked], answer.text


def _expand(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    asked = prompts.expand(Brief(given["brief"]), given["idea"]["title"], given["idea"]["idea"])
    return given["brief"], [asked], prompts.outline_answer(wanted["outline"]).text


def _chat(given: dict[str, Any], wanted: dict[str, Any]) -> Rendered:
    history = [Message(turn["role"], turn["text"]) for turn in given["history"]]
    return history[0].text, prompts.chat(history, given["inspirations"]), wanted["reply"]


_RENDERERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Rendered]] = {
    "brainstorm": _brainstorm,
    "twist": _twist,
    "remix": _remix,
    "critique": _critique,
    "expand": _expand,
    "chat": _chat,
}
