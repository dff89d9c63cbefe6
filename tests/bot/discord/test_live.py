"""A live message: its pace, its last state, and an outlet that fails."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import aiohttp

from bot.cogs.live import TRIES, Gone, LiveMessage

PACE = 0.05


class Paper:
    """An outlet that remembers what it was given, and fails as it is told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.shown: list[str] = []
        self.times: list[float] = []

    async def put(self, fields: dict[str, Any]) -> None:
        self.times.append(asyncio.get_running_loop().time())
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault
        self.shown.append(fields["content"])


def text(content: str):  # type: ignore[no-untyped-def]
    return lambda: {"content": content}


async def test_states_in_between_are_skipped_and_the_last_one_lands() -> None:
    paper = Paper()
    live = LiveMessage(paper, pace=PACE)
    for number in range(200):
        live.show(text(str(number)))
        await asyncio.sleep(0.001)
    await live.land()
    assert paper.shown[-1] == "199" and 2 < len(paper.shown) < 100
    assert all(later - earlier >= PACE - 0.002 for earlier, later in pairwise(paper.times))


async def test_the_state_shown_is_that_of_the_moment() -> None:
    paper = Paper()
    live = LiveMessage(paper, sent={"content": "begun"}, pace=PACE)
    words = ["one"]
    live.show(lambda: {"content": " ".join(words)})
    words.append("two")
    await live.land()
    assert paper.shown == ["one two"]


async def test_what_is_shown_already_is_not_sent_again() -> None:
    paper = Paper()
    live = LiveMessage(paper, sent={"content": "same"}, pace=0)
    live.show(text("same"))
    await live.land()
    live.show(text("other"))
    await live.land()
    live.show(text("other"))
    await live.land()
    assert paper.shown == ["other"]


async def test_what_can_wait_does_until_something_urgent_comes() -> None:
    paper = Paper()
    live = LiveMessage(paper, sent={"content": "0"}, pace=PACE)
    live.show(text("place 9"), urgent=False)
    await asyncio.sleep(3 * PACE)
    assert paper.shown == []
    live.show(text("place 8"), urgent=False)
    live.show(text("an idea"))
    await live.land()
    assert paper.shown == ["an idea"]


async def test_a_failed_edit_is_tried_again() -> None:
    paper = Paper(aiohttp.ClientError("line broken"), TimeoutError())
    live = LiveMessage(paper, pace=0.001)
    live.show(text("here"))
    await live.land()
    assert paper.shown == ["here"] and not live.gone


async def test_after_too_many_failures_it_gives_up_without_an_error() -> None:
    paper = Paper(*[OSError()] * 99)
    live = LiveMessage(paper, pace=0.001)
    live.show(text("here"))
    await live.land()
    assert live.gone and len(paper.times) == TRIES


async def test_a_message_that_is_gone_is_left_alone() -> None:
    paper = Paper(Gone("deleted"))
    live = LiveMessage(paper, pace=0.001)
    live.show(text("here"))
    await live.land()
    live.show(text("there"))
    await live.land()
    assert live.gone and len(paper.times) == 1
