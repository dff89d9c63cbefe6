"""Candidates: what each is made from, and writing all of one brief's in one batch.

Knows prompts, the model and the judge; not how many are wanted nor which are shown.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from bot.ideation import prompts
from bot.ideation.judge import Judge, Verdict
from bot.ideation.library import Library
from bot.ideation.parsing import Malformed, parse_idea
from bot.ideation.prompts import Style
from bot.ideation.types import Move, Technique, Words
from bot.ideation.worked import shown
from bot.language.base import Continuation, LanguageModel, Message, Sampling
from knowledge.types import Hit


@dataclass(frozen=True, slots=True)
class Writer:
    """A language model, with the style of prompt that suits it."""

    model: LanguageModel
    style: Style

    def shared(self, form: str = prompts.IDEA_FORM) -> list[Message]:
        """The messages that every request of one form begins with."""
        examples = shown() if self.style is Style.SHOWN and form is prompts.IDEA_FORM else []
        return [prompts.system(self.style, form), *examples]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes one candidate: its question, sparks, technique, seed, and the ideas that it descends from."""

    question: Message
    sparks: tuple[Hit, ...]
    technique: Technique
    seed: int
    move: Move = Move.BRAINSTORM
    parents: tuple[str, ...] = ()
    how: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What came of a recipe: words and a verdict, or None for both when the text was malformed."""

    recipe: Recipe
    words: Words
    verdict: Verdict


async def written(
    writer: Writer, recipes: Sequence[Recipe], sampling: Sampling
) -> AsyncGenerator[tuple[Recipe, str, float | None], None]:
    """Each recipe's text and mean log likelihood, in the recipes' order, once it and all before it are written."""
    continuations = [Continuation((recipe.question,), replace(sampling, seed=recipe.seed)) for recipe in recipes]
    texts = [""] * len(recipes)
    done: dict[int, float | None] = {}
    following = 0
    async with aclosing(writer.model.stream(writer.shared(), continuations)) as pieces:
        async for piece in pieces:
            texts[piece.index] += piece.text
            if piece.ending is not None:
                done[piece.index] = piece.log_likelihood
            while following in done:
                yield recipes[following], texts[following], done[following]
                following += 1


async def judged(
    library: Library, writer: Writer, judge: Judge, recipes: Sequence[Recipe], sampling: Sampling
) -> AsyncGenerator[Candidate | None, None]:
    """As `written`, parsed and judged; None for a text that was malformed."""
    async with aclosing(written(writer, recipes, sampling)) as texts:
        async for recipe, text, log_likelihood in texts:
            try:
                words = parse_idea(text)
            except Malformed:
                yield None
                continue
            yield Candidate(recipe, words, await library.run(judge.judge, words, recipe.sparks, log_likelihood))
