"""The queue before the model: fair between people, bounded, honest about places, and never stuck."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.turns import Busy, Turns


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Office:
    """Requests before a queue, in the order in which they came to their turn."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []
        self.places: dict[str, list[int]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, group: str = "") -> None:
        """A request of the person that `name` begins with: "a2" is of a."""
        self._ends[name] = asyncio.Event()
        self.places[name] = []
        self.tasks[name] = asyncio.create_task(self._request(name, group))
        await settle()

    async def _request(self, name: str, group: str) -> None:
        async with self.turns.turn(name[0], group, self.places[name].append):
            self.served.append(name)
            await self._ends[name].wait()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()


async def test_people_take_turns_not_their_requests() -> None:
    office = Office(Turns(at_once=1, each=5))
    for name in ("a1", "a2", "a3", "b1", "c1"):
        await office.ask(name)
    for name in ("a1", "a2", "b1", "c1", "a3"):
        assert office.served[-1] == name
        await office.end(name)
    assert office.turns.working == office.turns.waiting == 0


async def test_places_are_told_as_they_change() -> None:
    office = Office(Turns(at_once=1, each=5))
    for name in ("a1", "a2", "b1"):
        await office.ask(name)
    assert office.places == {"a1": [1, 0] if office.places["a1"][0] else [0], "a2": [1], "b1": [2]}
    await office.end("a1")
    assert office.places["a2"] == [1, 0] and office.places["b1"] == [2, 1]


async def test_who_gives_up_makes_room() -> None:
    office = Office(Turns(at_once=1))
    for name in ("a1", "b1", "c1"):
        await office.ask(name)
    office.tasks["b1"].cancel()
    await settle()
    assert office.places["c1"][-1] == 1
    office.tasks["a1"].cancel()
    await settle()
    assert office.served == ["a1", "c1"]


async def test_too_much_is_refused_at_once_and_says_why() -> None:
    turns = Turns(at_once=1, longest=2, each=2, group_each=3)
    office = Office(turns)
    for name in ("a1", "a2"):
        await office.ask(name, "studio")
    for person, group, line in (
        ("a", "studio", "Your earlier request"),
        ("b", "studio", ""),
        ("c", "studio", "This server"),
        ("d", "elsewhere", "Very many people"),
    ):
        if not line:
            await office.ask(person, group)
            continue
        with pytest.raises(Busy, match=line):
            async with turns.turn(person, group):
                pass
    await office.end("a1")
    await office.ask("d", "elsewhere")
    assert turns.waiting == 2


async def test_closing_sends_away_who_waits_and_lets_work_end() -> None:
    office = Office(Turns(at_once=1))
    await office.ask("a1")
    await office.ask("b1")
    office.turns.close()
    await settle()
    assert isinstance(office.tasks["b1"].exception(), Busy)
    with pytest.raises(Busy, match="being restarted"):
        async with office.turns.turn("c"):
            pass
    assert office.turns.working == 1
    await office.end("a1")
    assert office.tasks["a1"].done() and office.turns.working == office.turns.waiting == 0


async def test_a_place_can_be_held_while_one_prepares() -> None:
    turns = Turns(at_once=1)
    with turns.place("a") as first, turns.place("b") as second:
        await first.come()
        assert (turns.working, turns.waiting) == (1, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.come(), 0.01)
    assert (turns.working, turns.waiting) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["ask", "end", "cancel"])), max_size=40))
def test_whatever_happens_nobody_is_forgotten(steps: list[tuple[str, str]]) -> None:
    """After any order of asking, ending and giving up: the limits held, and all who did not give up were served."""

    async def run() -> None:
        office = Office(Turns(at_once=2, longest=5, each=2))
        asked = 0
        for person, step in steps:
            if step == "ask":
                asked += 1
                with suppress(Busy):
                    await office.ask(f"{person}{asked}")
            elif names := [name for name in office.tasks if name[0] == person and not office.tasks[name].done()]:
                if step == "end":
                    await office.end(names[0])
                else:
                    office.tasks[names[0]].cancel()
                    await settle()
            assert office.turns.working <= 2 and office.turns.waiting <= 5
            assert office.turns.waiting == 0 or office.turns.working == 2, "nobody waits while a turn is free"
        for _ in range(len(office.tasks)):
            for name in office.tasks:
                await office.end(name)
        assert all(task.done() for task in office.tasks.values())
        for name, task in office.tasks.items():
            if not task.cancelled() and task.exception() is None:
                assert name in office.served
        assert office.turns.working == office.turns.waiting == 0

    asyncio.run(run())
