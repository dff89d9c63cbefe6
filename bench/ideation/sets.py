"""Making all sets of one arm: a few alone, for their times, the rest together, so that the engine's places are full.

A set is what one system gives for one brief and seed. Times of sets that run beside others, or whose answers were kept
from an earlier run, say nothing of what a person waits, so those have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.ideation.anchors import Run
from bench.ideation.kept import Kept, KeptModel, Seconds, digest

TIMED = 3

T = TypeVar("T")
Maker = Callable[[str, int], Awaitable[Run]]
"""A brief and a seed to a run of one system."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One system: how it makes a set, how many sets run together, and all that its times depend on.

    `timed` is False for arms that only choose anew among what another arm wrote.
    """

    name: str
    make: Maker
    together: int = 1
    timed: bool = True
    setup: tuple[object, ...] = ()


async def made(
    arm: Arm, jobs: Sequence[tuple[str, int]], model: KeptModel, kept: Kept, done: Callable[[], None]
) -> list[Run]:
    """The arm's run for each (brief, seed), in order; `done` is called after each. Raises what making one raises."""
    runs: dict[tuple[str, int], Run] = {}
    for job in spread(jobs, TIMED) if arm.timed else []:
        runs[job] = await _alone(arm, job, model, kept)
        done()
    waiting = iter([job for job in jobs if job not in runs])

    async def work() -> None:
        for job in waiting:
            runs[job] = replace(await arm.make(*job), first=None, total=None)
            done()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(arm.together):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [runs[job] for job in jobs]


async def _alone(arm: Arm, job: tuple[str, int], model: KeptModel, kept: Kept) -> Run:
    key = digest([arm.name, model.name, *map(str, arm.setup), *job])
    seconds = kept.seconds(key)
    model.fresh = seconds is None
    try:
        run = await arm.make(*job)
    finally:
        model.fresh = False
    if seconds is None:
        seconds = Seconds(run.first, run.total or 0.0)
        kept.keep_seconds(key, seconds)
    return replace(run, first=seconds.first, total=seconds.total)


def spread(items: Sequence[T], count: int) -> list[T]:
    """`count` of the items, evenly spread; all where there are fewer."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]
