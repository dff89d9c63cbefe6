"""Reading what the model wrote. Tolerant of dress (markdown, quotes, order, case), strict about substance.

Whatever does not come out whole raises `Malformed`, with the reason; nothing half gets through.
"""

from __future__ import annotations

import re

from bot.ideation.lexical import words
from bot.ideation.prompts import quoted
from bot.ideation.types import Critique, Words

_LABEL = re.compile(
    r"^[\s>*_#`\-\d.)]*\b(title|idea|first[ _-]?step|strength|risk|question)\b[\s*_`]*[:：—][\s*_`]*", re.I | re.M
)
_SPOKEN = re.compile(r"^(Strength|Risk|Question)\s+(?:lies|is)\b:?(?:\s+that\b)?\s*(\w)", re.M)
"""A label that became the beginning of its sentence, as in "Strength lies in the price." """
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*(?=\s|$)")
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.):]|[-*•])\s*(.+)$", re.M)

LONGEST_TITLE = 12  # words; the form asks for 2 to 6


class Malformed(Exception):
    """The model's text is not in the form that was asked for. The message says what is missing."""


def parse_idea(text: str) -> Words:
    """Title, idea and first step from a model's answer. Raises `Malformed`."""
    parts = _labelled(text, "title", "idea", "first step")
    title = _undressed(parts["title"]).rstrip(".,;:")
    if not 1 <= len(words(title)) <= LONGEST_TITLE:
        raise Malformed("the title is empty or a paragraph")
    return Words(title, _sentences(parts["idea"], "idea"), _sentences(parts["first step"], "first step"))


def parse_critique(text: str) -> Critique:
    """Strength, risk and question from a model's answer. Raises `Malformed`."""
    said = _SPOKEN.sub(lambda mark: f"{mark[1]}: {mark[2].upper()}", text)
    parts = _labelled(said, "strength", "risk", "question")
    question = _sentences(parts["question"], "question")
    return Critique(_sentences(parts["strength"], "strength"), _sentences(parts["risk"], "risk"), question)


def parse_outline(text: str, steps: int = 5) -> tuple[str, ...]:
    """The numbered or bulleted lines of an outline, `steps` of them. Raises `Malformed` when there are fewer."""
    found = [_undressed(match.group(1)) for match in _ITEM.finditer(text)]
    found = [step for step in found if len(words(step)) >= 3][:steps]
    if len(found) < steps:
        raise Malformed(f"{len(found)} steps of {steps}")
    return tuple(step if _SENTENCE_END.search(step) else step + "." for step in found)


def parse_reply(text: str) -> str:
    """A chat reply without invented turns of the other person. Raises `Malformed` when nothing is left."""
    own = re.split(r"^\s*(?:user|human|message|you)\s*:", text, maxsplit=1, flags=re.I | re.M)[0].strip()
    if not words(own):
        raise Malformed("the reply is empty")
    return own


def _labelled(text: str, *names: str) -> dict[str, str]:
    """The text after each label up to the next one; a label that comes again ends the answer (a second idea begins)."""
    marks = list(_LABEL.finditer(text))
    parts: dict[str, str] = {}
    for number, mark in enumerate(marks, start=1):
        name = re.sub(r"[ _-]?step", " step", mark.group(1).lower())
        if name in parts:
            break
        parts[name] = text[mark.end() : marks[number].start() if number < len(marks) else len(text)]
    for name in names:
        if not words(parts.get(name, "")):
            raise Malformed(f"no {name}")
    return parts


def _undressed(text: str) -> str:
    """One line without markdown dress or wrapping quotes."""
    line = quoted(re.sub(r"[*`#]+|(?<!\w)_+|_+(?!\w)", "", text)).strip()
    if len(line) > 1 and line[0] in "\"“'‘" and line[-1] in "\"”'’":
        line = line[1:-1].strip()
    return line


def _sentences(text: str, what: str) -> str:
    """Whole sentences only: a tail that was cut in mid-sentence goes. Raises `Malformed` when no sentence is whole."""
    line = _undressed(text.split("\n\n", maxsplit=1)[0])
    ends = [match.end() for match in _SENTENCE_END.finditer(line)]
    if not ends:
        raise Malformed(f"the {what} is cut off")
    return line[: ends[-1]].strip()
