"""The anchors A0 to A4 that Kindling's ideas are compared with: the same model asked plainly, and no model at all.

Each anchor is a function of a brief and a seed that gives k ideas. What they write is read generously: labels, numbers
and an opening line of chat are taken off before the gates see it.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.yardstick import Embed, Shown, Vectors
from bot.ideation.lexical import words
from bot.language.base import Continuation, LanguageModel, Message, Sampling

ASK = "Give me one idea for this brief, in one or two sentences.\nBrief: "
LIST = "Give me a numbered list of ten different ideas for this brief, each in one or two sentences.\nBrief: "
CONTEXT = "Here are some notes:\n{notes}\n\nUse one of these notes. "

TEMPLATES = (
    "For {brief}, take the thing itself as the model: {fact}. Let what people meet first work in the same way.",
    "Begin {brief} from one observation, that {fact}, and let every later choice follow from it.",
    "Make {brief} about this: {fact}. Show it once, plainly, and leave everything else out.",
    "Put this at the heart of {brief}: {fact}. Whoever comes near should find it out alone.",
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one system gave for one brief and seed: ideas in shown order, the snippets that it was shown, its times.

    `first` and `total` are seconds from the request, None where they were not timed; `titles` stand beside the ideas in
    the report.
    """

    ideas: list[Shown]
    offered: list[str] = field(default_factory=list)
    first: float | None = None
    total: float | None = None
    titles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The library as anchors see it: snippet texts and their unit vectors, (n, d)."""

    texts: Sequence[str]
    vectors: Vectors
    embed: Embed

    def nearest(self, brief: str, count: int) -> list[str]:
        """The `count` snippets most similar to the brief, most similar first."""
        return [self.texts[place] for place in np.argsort(-(self.vectors @ self.embed([brief])[0]))[:count]]


async def asked_directly(model: LanguageModel, brief: str, seed: int, count: int, temperature: float = 0.9) -> Run:
    """A0, and A2 at temperature 1.3: the same question `count` times, another seed each."""
    question = Message("user", ASK + brief)
    return await _ask(model, [question] * count, seed, Sampling(temperature=temperature, max_tokens=90), count)


async def asked_for_a_list(model: LanguageModel, brief: str, seed: int, count: int) -> Run:
    """A1: one answer with all ideas."""
    began = time.perf_counter()
    text = "".join(await _texts(model, [Message("user", LIST + brief)], seed, Sampling(max_tokens=75 * count)))
    items = re.split(r"^\s*\d{1,2}[.):]\s*", text, flags=re.M)[1:] or text.splitlines()
    seconds = time.perf_counter() - began
    return Run([Shown(body) for body in map(cleaned, items) if words(body)][:count], [], seconds, seconds)


async def asked_with_notes(model: LanguageModel, brief: str, seed: int, count: int, shelf: Shelf) -> Run:
    """A3: the three nearest snippets pasted before the question; an idea cites the one that it is most similar to."""
    notes = shelf.nearest(brief, 3)
    question = Message("user", CONTEXT.format(notes="\n".join(f"- {note}" for note in notes)) + ASK + brief)
    run = await _ask(model, [question] * count, seed, Sampling(max_tokens=90), count)
    if not run.ideas:
        return replace(run, offered=notes)
    similar = shelf.embed([idea.body for idea in run.ideas]) @ shelf.embed(notes).T
    cited = [replace(idea, spark=notes[int(row.argmax())]) for idea, row in zip(run.ideas, similar, strict=True)]
    return replace(run, ideas=cited, offered=notes)


def filled_in(brief: str, seed: int, count: int, shelf: Shelf) -> Run:
    """A4, no model: the nearest snippets' first sentences in templates."""
    began = time.perf_counter()
    draw = random.Random(seed)
    notes = draw.sample(shelf.nearest(brief, 3 * count), count)
    ideas = []
    for number, note in enumerate(notes):
        fact = re.split(r"(?<=[.!?])\s", note)[0].rstrip(".!?")
        text = TEMPLATES[number % len(TEMPLATES)].format(brief=_lowered(brief.rstrip(".")), fact=_lowered(fact))
        ideas.append(Shown(text[0].upper() + text[1:], note))
    seconds = time.perf_counter() - began
    return Run(ideas, notes, seconds, seconds)


async def _ask(model: LanguageModel, questions: Sequence[Message], seed: int, sampling: Sampling, count: int) -> Run:
    began = time.perf_counter()
    texts = await _texts(model, questions, seed, sampling)
    seconds = time.perf_counter() - began
    return Run([Shown(body) for body in map(cleaned, texts) if words(body)][:count], [], seconds, seconds)


async def _texts(model: LanguageModel, questions: Sequence[Message], seed: int, sampling: Sampling) -> list[str]:
    draw = random.Random(seed)
    texts = [""] * len(questions)
    wanted = [Continuation((question,), replace(sampling, seed=draw.getrandbits(31))) for question in questions]
    async for piece in model.stream([], wanted):
        texts[piece.index] += piece.text
    return texts


def cleaned(text: str) -> str:
    """The idea in an answer: without labels, markdown, list marks, an opening line of chat, or a title line.

    The `Idea:` part where the model labels its parts, else the first paragraph that has a sentence in it. Nothing is
    added or mended: an idea that is cut off stays cut off.
    """
    if labelled := re.search(r"^\W*idea\W*[:：](.*?)(?=^\W*first step\b|\Z)", text, re.I | re.M | re.S):
        text = labelled.group(1)
    text = re.sub(r"[*#`_]+", "", text)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if words(part)]
    if len(paragraphs) > 1 and re.match(r"(sure|certainly|of course|here)\b.*[:!.]$", paragraphs[0], re.I):
        paragraphs = paragraphs[1:]
    first = next((part for part in paragraphs if len(words(part)) >= 8), " ".join(paragraphs))
    return re.sub(r"^[-•\s]+|^\d{1,2}[.):]\s*", "", first).strip().strip('"“”')


def _lowered(text: str) -> str:
    """With a small first letter where the first word is an article or the like."""
    return text[:1].lower() + text[1:] if re.match(r"(A|An|The|In|On|At|Some|Every|When|For|It)\b", text) else text
