"""Answers before work, and nobody holds up the event loop: the front desk by itself."""

from __future__ import annotations

import asyncio
import itertools

from bot.cogs.atwork import FrontDesk


async def test_a_crowd_is_let_in_one_by_one_in_its_order():
    """Whoever else needs the loop meanwhile gets it between any two of them."""
    desk, seen = FrontDesk(), []

    async def somebody(number: int) -> None:
        await desk.line_up()
        seen.append(number)

    async def everything_else(crowd: asyncio.Task[list[None]]) -> None:
        while not crowd.done():
            seen.append("else")
            await asyncio.sleep(0)

    crowd = asyncio.ensure_future(asyncio.gather(*(somebody(number) for number in range(50))))
    await everything_else(crowd)
    assert [one for one in seen if one != "else"] == list(range(50))
    assert not any(isinstance(one, int) and isinstance(after, int) for one, after in itertools.pairwise(seen))


async def test_work_begins_when_everybody_in_the_line_has_been_answered():
    desk, seen = FrontDesk(), []

    async def asker() -> None:
        await desk.line_up()
        with desk.answering():
            await asyncio.sleep(0)
            seen.append("answer")

    async def work() -> None:
        await desk.clear()
        seen.append("work")

    await asyncio.gather(*(asker() for _ in range(10)), work(), work())
    assert seen == ["answer"] * 10 + ["work"] * 2


async def test_work_does_not_wait_for_ever():
    desk = FrontDesk()
    with desk.answering():
        await desk.clear(within=0.01)
