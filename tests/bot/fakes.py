"""A scripted language model: for faults, for speed, and for saying exactly what a test needs."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence

from bot.language.base import Continuation, Message, Piece

Script = Callable[[Sequence[Message], int], str]

NOUNS = (
    "lantern kettle ladder ferry button orchard violin brick glove compass pillow bell anchor candle bridge mirror "
    "saddle needle barrel window parcel thimble whistle curtain bucket hammer tunnel ribbon basket engine"
).split()


def told_idea(messages: Sequence[Message], seed: int) -> str:
    """A well-formed idea that differs with the seed and borrows a word of its spark."""
    asked = messages[-1].text
    spark = asked.partition("Spark: ")[2].partition("\n")[0]
    borrowed = max(spark.split() or ["nothing"], key=len).strip(".,;:")
    brief = max(asked.partition("Brief: ")[2].partition("\n")[0].split() or ["thing"], key=len)
    drawn = random.Random(seed).sample(NOUNS, k=9)
    return (
        f"Title: The {drawn[0]} and the {drawn[1]}\n"
        f"Idea: {' '.join(drawn[:5])} {borrowed} {brief} {' '.join(drawn[5:])}.\n"
        f"First step: Draw the {drawn[0]} on paper and ask a friend about the {drawn[2]}."
    )


class ScriptedModel:
    """Streams what `script(messages, seed)` says, word by word; an exception it raises comes out of the stream."""

    def __init__(self, script: Script = told_idea, name: str = "scripted") -> None:
        self.name = name
        self.script = script
        self.asked: list[tuple[Message, ...]] = []
        self.closed_early = 0

    async def load(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Nothing to free."""

    async def stream(
        self, shared: Sequence[Message], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        """All continuations interleaved, a word at a time."""
        scripts = []
        for continuation in continuations:
            messages = (*shared, *continuation.messages)
            self.asked.append(messages)
            scripts.append(self.script(messages, continuation.sampling.seed).split(" "))
        finished = False
        try:
            for step in range(max(len(words) for words in scripts)):
                for index, words in enumerate(scripts):
                    if step < len(words):
                        last = step + 1 == len(words)
                        text = words[step] + ("" if last else " ")
                        yield Piece(index, text, "stop" if last else None, -1.8 if last else None)
            finished = True
        finally:
            self.closed_early += not finished
