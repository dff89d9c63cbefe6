"""Which steps are captured and which rows count, on a CPU: a graph that computes anew stands in for CUDA's.

What CUDA makes of it is in test_cuda.py.
"""

from __future__ import annotations

import random
from typing import ClassVar

import pytest
import torch

from bot.language import graphs
from bot.language.attention import Segment
from bot.language.base import Continuation, Message, Sampling
from bot.language.engine import Engine, Limits
from bot.language.graphs import Graphs
from bot.language.local import make_engine

from . import tiny

SHARED = [Message("system", "Short, concrete ideas about the sea."), Message("user", "A brief.")]


class Again:
    """Computes what was captured, into the same result."""

    def __init__(self, compute, result):
        self._compute, self._result = compute, result

    def replay(self):
        for segment in Camera.segments:  # what a graph works out in itself
            segment._slots = None
            segment._masks.clear()
        made = self._compute()
        self._result.resize_(made.shape).copy_(made)


class Camera:
    taken = 0
    segments: ClassVar[list[Segment]] = []

    def __init__(self, device):
        pass

    def capture(self, compute):
        Camera.taken += 1
        result = torch.empty(0)  # nothing is computed yet
        return Again(compute, result), result


@pytest.fixture(autouse=True)
def camera(monkeypatch):
    """In place of the one that captures on CUDA."""

    def steady(segment, lengths):
        made = whole(segment, lengths)
        Camera.segments.append(made)
        return made

    whole = Segment.steady
    Camera.taken = 0
    monkeypatch.setattr(Camera, "segments", [])
    monkeypatch.setattr(Segment, "steady", steady)
    monkeypatch.setattr(graphs, "_Camera", Camera)


def answers(engine: Engine, loaded, seeds) -> dict[int, str]:
    draw, told = random.Random(1), []
    for first in range(0, len(seeds), 4):
        asked = [
            Continuation(
                (Message("user", "harbour lantern ferry"[: 3 + seed]),),
                Sampling(seed=seed, max_tokens=draw.randrange(5, 90)),
            )
            for seed in seeds[first : first + 4]
        ]
        request, heard = tiny.request(loaded, SHARED, asked)
        engine.add(request)
        told.append(heard)
        for _ in range(draw.randrange(40)):
            engine.step()
    while engine.busy:
        engine.step()
    assert all(heard.error is None for heard in told)
    return {(i, index): text for i, heard in enumerate(told) for index, text in heard.texts.items()}


@pytest.mark.parametrize("family", ["llama", "gemma3_text"])
def test_by_graphs_answers_are_the_same_while_others_join_and_leave(family):
    loaded = tiny.loaded(family)
    seeds = list(range(16))
    expected = answers(make_engine(loaded, Limits(places=6)), loaded, seeds)
    engine = make_engine(loaded, Limits(places=6))
    assert isinstance(engine, Engine)
    engine._graphs = Graphs(engine._decoder)
    assert answers(engine, loaded, seeds) == expected and len(expected) == 16
    assert Camera.taken > 4 and not engine._graphs.captured


def test_without_memory_for_a_graph_steps_go_on(monkeypatch):
    class Full(Camera):
        def capture(self, compute):
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(graphs, "_Camera", Full)
    loaded = tiny.loaded("llama")
    engine = make_engine(loaded, Limits())
    engine._graphs = Graphs(engine._decoder)
    assert len(answers(engine, loaded, [1, 2, 3])) == 3
