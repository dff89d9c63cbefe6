"""How many threads compute: fewer where they are interrupted, all of them again where they are not."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from knowledge import crew
from knowledge.crew import CROWDED, FIRST, Crew, wait_briefly


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Machine:
    """Counts interruptions as a system does; `busy` says how many cores others want."""

    def __init__(self, cores: int) -> None:
        self.cores, self.busy, self.count = cores, 0, 0

    def crew(self) -> Crew:
        return Crew(self.cores, lambda: self.count)

    def steps(self, crew: Crew, number: int) -> list[int]:
        """Let so many steps be computed: the threads that each had."""
        sizes = []
        for _ in range(number):
            sizes.append(crew.size)
            with crew:
                crowded = crew.size > max(1, self.cores - self.busy)
                self.count += 10 * CROWDED if crowded else CROWDED // 10
        return sizes


def test_alone_on_the_machine_all_threads_compute():
    machine = Machine(cores=4)
    assert set(machine.steps(machine.crew(), 50)) == {4}


def test_beside_others_few_steps_are_in_their_way_and_later_all_threads_come_back():
    machine = Machine(cores=2)
    crew = machine.crew()
    machine.busy = 1
    sizes = machine.steps(crew, 400)
    assert sizes[0] == 2 and sizes.count(2) < 12 and torch.get_num_threads() == 1
    machine.busy = 0
    sizes = machine.steps(crew, 300)
    assert sizes[-1] == 2 and torch.get_num_threads() == 2
    machine.busy = 1
    assert machine.steps(crew, 1 + FIRST)[1:] == [1] * FIRST


def test_it_finds_how_many_cores_are_left():
    machine = Machine(cores=8)
    crew = machine.crew()
    machine.busy = 3
    sizes = machine.steps(crew, 300)[20:]
    assert max(map(len, (list(run) for _, run in itertools.groupby(sizes)))) > 20 and sizes.count(5) > 250


@given(st.lists(st.integers(0, 10 * CROWDED)), st.integers(1, 8))
def test_whatever_happens_there_is_somebody_to_compute(interrupted, most):
    counts = itertools.accumulate(itertools.chain.from_iterable((0, number) for number in interrupted))
    crew = Crew(most, lambda: next(counts))
    for _ in interrupted:
        with crew:
            pass
        assert 1 <= crew.size <= most


def test_the_system_counts_interruptions():
    before = crew.interruptions()
    assert 0 <= before <= crew.interruptions()


def test_what_the_surroundings_say_of_waiting_holds(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    wait_briefly()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE" and "GOMP_SPINCOUNT" not in os.environ
