"""Language models that wait, fail or never answer, as a test wishes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence

from bot.language.base import Continuation, LanguageModel, Message, Piece
from tests.bot.fakes import NOUNS, ScriptedModel


def grounded_idea(messages: Sequence[Message], seed: int) -> str:
    """An idea that passes every gate: made of words of its brief and of its spark, in no order of theirs.

    All have the same number of words, so that drafts which are written side by side end in their order.
    """
    asked = messages[-1].text
    spark = _long_words(asked.partition("Spark: ")[2].partition("\n")[0])[:7]
    brief = _long_words(asked.partition("Brief: ")[2].partition("\n")[0])[:3]
    drawn = random.Random(seed).sample(NOUNS, k=14 - len(spark) - len(brief))
    words = " ".join([drawn[2], *spark, drawn[0], *brief, *drawn])
    return (
        f"Title: The {drawn[0]} and the {drawn[1]}\nIdea: {words}.\nFirst step: Draw the {drawn[0]} and show it round."
    )


def _long_words(text: str) -> list[str]:
    return sorted({word.strip(".,;:()'\"") for word in text.split()}, key=lambda word: (-len(word), word))


class Lent:
    """A real model of the whole session's, which one bot's services may not close."""

    def __init__(self, model: LanguageModel) -> None:
        self.name, self.load, self.stream = model.name, model.load, model.stream

    async def close(self) -> None:
        """It is others' still."""


class HeldModel(ScriptedModel):
    """Finishes so many `drafts` of a request, then waits until `release()`; `fault`, if given, is raised instead."""

    def __init__(self, drafts: int = 0, fault: Exception | None = None) -> None:
        super().__init__(grounded_idea)
        self.drafts = drafts
        self.fault = fault
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let everybody go on."""
        self._released.set()

    async def stream(
        self, shared: Sequence[Message], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        """As the scripted model, with the wait or the fault in it."""
        self.begun += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        pieces = super().stream(shared, continuations)
        written = 0
        try:
            async for piece in pieces:
                if written == self.drafts:
                    if self.fault is not None:
                        raise self.fault
                    await self._released.wait()
                written += piece.ending is not None
                yield piece
        finally:
            self.at_once -= 1
            await pieces.aclose()
