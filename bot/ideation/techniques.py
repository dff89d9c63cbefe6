"""The techniques: what each one asks for, and which sparks suit it.

A technique is an operation on two things, the brief and a spark: its `move` says what to do with them, and `suits`
which distance of spark it works best on. Near sparks give ideas that can be done, far ones ideas that nobody else has
(Chan et al. 2011; Goucher-Lambert and Cagan 2019), so moves that need the brief's own ground take near sparks and moves
that carry a mechanism across take far ones.

Eight of them make the mix that a brainstorm takes when nobody names one. Counter-trend is the ninth, for whoever asks
for it: its sparks are what rises in the library just now (see trending.py), and the idea goes the other way.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bot.ideation.types import Technique
from knowledge.types import Band, Hit


@dataclass(frozen=True, slots=True)
class Operation:
    """What one technique does with a brief and a spark.

    `told_as` is the technique by whose name models are asked for it, where that is not its own: the tuned model knows
    the words of its training texts, and of those that one is the nearest.
    """

    move: str
    suits: frozenset[Band]
    told_as: Technique | None = None


NEAR, MIDDLE, FAR = Band.NEAR, Band.MIDDLE, Band.FAR

OPERATIONS: dict[Technique, Operation] = {
    Technique.DIRECT: Operation("Answer the brief; put the spark in plain sight.", frozenset({NEAR, MIDDLE})),
    Technique.COMBINE: Operation("Fuse the brief's thing with the spark's thing into one.", frozenset({MIDDLE, FAR})),
    Technique.ANALOGY: Operation("Borrow how the spark works, not how it looks.", frozenset({MIDDLE, FAR})),
    Technique.REVERSE: Operation("Turn one assumption of the brief upside down.", frozenset({NEAR, MIDDLE})),
    Technique.CONSTRAINT: Operation("Let one hard limit make the idea.", frozenset({NEAR, MIDDLE})),
    Technique.PERSPECTIVE: Operation("Tell or design it from an unexpected point of view.", frozenset({MIDDLE, FAR})),
    Technique.EXAGGERATE: Operation("Push one property to the extreme.", frozenset({NEAR, MIDDLE, FAR})),
    Technique.SUBTRACT: Operation("Take away what seems essential.", frozenset({NEAR, MIDDLE})),
    Technique.COUNTER_TREND: Operation(
        "Turn what the spark shows upside down: do the opposite.", frozenset({NEAR, MIDDLE, FAR}), Technique.REVERSE
    ),
}
MIX = tuple(technique for technique in Technique if technique is not Technique.COUNTER_TREND)


def assign(sparks: Sequence[Hit], seed: int, only: Technique | None = None) -> list[Technique]:
    """One technique for each spark: spread evenly over the mix, each on a spark that suits it where that can be had.

    With `only`, that technique for all. The same sparks and seed give the same assignment.
    """
    if only is not None:
        return [only] * len(sparks)
    rng = random.Random(seed)
    pool: list[Technique] = []
    chosen: list[Technique] = []
    for spark in sparks:
        if not pool:
            pool = rng.sample(MIX, k=len(MIX))
        pick = next((technique for technique in pool if spark.band in OPERATIONS[technique].suits), pool[0])
        pool.remove(pick)
        chosen.append(pick)
    return chosen
