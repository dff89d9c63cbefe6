"""Decode steps as CUDA graphs: one launch where a step has a thousand.

A GPU computes a step of a small model in less time than a CPU takes to ask for its thousand operations one by one. A
graph is asked for as one, but it is bound to shapes and to places in memory. So a step that the same sequences take a
second time is captured for all of their rows and for all that these have place for (`Segment.steady`), and serves until
they need more room or others come in. Sequences that end leave their rows behind, which compute on unheard.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.language.attention import Segment
from bot.language.decoder import Decoder
from bot.language.keyvalues import KeyValues

if TYPE_CHECKING:
    import torch

    Places = list[tuple[torch.Tensor, KeyValues | None]]

log = logging.getLogger(__name__)


class _Camera:
    """Where graphs are captured: always on one stream, for which the matrix library keeps 32 MiB, and in one pool.

    What one graph leaves free in the pool the next one takes. A pool lasts as long as any graph in it does, and one is
    kept that does nothing but that.
    """

    def __init__(self, device: torch.device) -> None:
        import torch

        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._keeper = self.capture(lambda: torch.zeros(1, device=device))

    def capture(self, compute: Callable[[], torch.Tensor]) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        """What `compute` asks of the device, as a graph, and where its result will be. Nothing is computed yet."""
        import torch

        graph, now = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            graph.capture_begin(self._pool, capture_error_mode="thread_local")  # others may use the device meanwhile
            try:
                result = compute()
            finally:
                graph.capture_end()
        now.wait_stream(self._stream)
        return graph, result


class Graphs:
    """`Decoder.forward` on CUDA, by a graph where a step is like the one before it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._camera: _Camera | None = None  # made for the first graph
        self._graph: _Graph | None = None
        self._before: Places = []  # of the step before, if a graph could do it
        self._works = True

    def forward(self, tokens: Sequence[int], step: Sequence[Segment], last: Sequence[int]) -> torch.Tensor | None:
        """As Decoder.forward. The logits are good until the next call."""
        if not (self._works and len(last) == len(tokens) and all(segment.decodes for segment in step)):
            return self._decoder.forward(tokens, step, last)
        places = [(segment.own.memory, segment.prefix) for segment in step]
        if self._graph is None or not _same(self._graph.places, places):
            self._graph = None
            if not _same(self._before, places):
                self._before = places
                return self._decoder.forward(tokens, step, last)
            try:
                self._camera = self._camera or _Camera(self._decoder.shape.device)
                self._graph = _Graph(self._decoder, places, step, self._camera)
            except RuntimeError:  # the driver's, too little memory, an operation that cannot be captured
                log.info("Decode steps are not captured as graphs", exc_info=True)
                self._works = False
                return self._decoder.forward(tokens, step, last)
        return self._graph.run(tokens, step)

    @property
    def captured(self) -> bool:
        """Whether there is a graph for the steps that are taken now."""
        return self._graph is not None

    def forget(self) -> None:
        """Let go of the graph and of what it is bound to."""
        self._graph, self._before = None, []


class _Graph:
    """One step's graph."""

    def __init__(self, decoder: Decoder, places: Places, step: Sequence[Segment], camera: _Camera) -> None:
        import torch

        self.places = places
        self._rows = [segment.own.rows for segment in step]
        self._given = torch.zeros(2, sum(self._rows), dtype=torch.long, device=decoder.shape.device)
        tokens, lengths = self._given
        # kept as long as the graph, which reads their tensors
        self._steady = [segment.steady(part) for segment, part in zip(step, lengths.split(self._rows), strict=True)]
        self._graph, self._logits = camera.capture(lambda: decoder.logits(decoder.hidden(tokens, self._steady)))

    def run(self, tokens: Sequence[int], step: Sequence[Segment]) -> torch.Tensor:
        """The logits (tokens, vocabulary)."""
        import torch

        given: tuple[list[int], list[int]] = [], []
        alive: list[int] = []
        for segment, rows in zip(step, self._rows, strict=True):
            free = [0] * (rows - segment.tokens)  # what they compute goes to places that are nobody's
            begin = len(alive)
            alive += range(len(given[0]), len(given[0]) + segment.tokens)
            given[0].extend([*tokens[begin : len(alive)], *free])
            given[1].extend([*segment.lengths, *free])
        self._given.copy_(torch.tensor(given))
        self._graph.replay()
        if len(alive) == len(given[0]):
            return self._logits
        return self._logits[torch.tensor(alive, device=self._logits.device)]


def _same(one: Places, other: Places) -> bool:
    """Whether both are the same places in memory, in the same order."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a[0] is b[0] and a[1] is b[1] for a, b in pairs)
