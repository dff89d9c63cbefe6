"""The engine: many answers at once by continuous batching, with what prompts share computed and kept once.

A request is a prompt with many continuations. Its life here:

    add       it waits in `_groups`, in the order of arrival
    prefix    the tokens that all its prompts begin with are read (or found in the prefix cache): once, for all answers
    admit     its answers get rows, as places become free; requests take turns, so nobody waits for a big one to end
    read      an answer's own part of the prompt is read
    decode    one token a step, until it ends; then its row is free for the next one

One `step` is one forward pass over a flat batch of tokens: one for each answer that decodes, and behind them up to
`chunk` tokens of prompts being read. So answers join and leave between any two steps, and reading a long prompt slows
the others down but never stops them. The attention over that batch is in attention.py.

The same request gives the same answers whatever runs beside it: sampling has no state (sampling.py), each answer sees
its own keys and values only, and packed linear layers compute a row alike in any batch (packed.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.language.attention import Segment
from bot.language.base import Piece
from bot.language.decoder import Decoder
from bot.language.errors import LanguageError
from bot.language.graphs import Graphs
from bot.language.keyvalues import KeyValues
from bot.language.loading import Loaded, out_of_memory
from bot.language.prefixes import PrefixCache
from bot.language.requests import Answer, Request
from bot.language.sampling import draw
from knowledge.crew import Crew, threads

if TYPE_CHECKING:
    import torch


CHUNK, CHUNK_ON_CUDA = 120, 1024
"""Tokens of prompts that are read in a step. On a CPU each takes its time; a GPU reads many as fast as a few."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an engine takes on at a time.

    `places` answers are decoded at once; `chunk` tokens of prompts are read in a step, or twice as many in one in which
    nothing is decoded (None: as many as suit the device); `memory` bounds the keys and values of running answers and
    `prefixes` those of prompts kept for later, in bytes. With `graphs` decode steps are captured on CUDA (graphs.py).

    On a CPU, where a step takes the longer the more rows it has, the first `ahead` answers of a request run before its
    others until one of them is whole (0: all run at once): who waits has something to read sooner, and all of it later.
    """

    places: int = 32
    ahead: int = 0
    chunk: int | None = None
    memory: int = 1 << 30
    prefixes: int = 1 << 28
    graphs: bool = True


@dataclass(slots=True, eq=False)
class _Row:
    """An answer that has a place: what of it is computed, and what comes next."""

    answer: Answer
    pending: list[int]  # the tokens to compute next: the rest of its prompt, then always the token drawn last
    length: int = 0  # tokens in its row of the group's keys and values


@dataclass(slots=True, eq=False)
class _Group:
    """A request at work. Row i of `own` belongs to `rows[i]`."""

    request: Request
    own: KeyValues
    waiting: deque[Answer]
    rows: list[_Row] = field(default_factory=list)
    prefix: KeyValues | None = None
    read: int = 0  # tokens of the prefix that are computed
    ended: bool = False  # whether one of its answers is whole

    @property
    def ready(self) -> bool:
        """Whether the prefix is complete."""
        return self.read == self.request.shared

    @property
    def prefix_tokens(self) -> tuple[int, ...]:
        return tuple(self.request.answers[0].prompt[: self.request.shared])

    def segment(self, rows: list[int], counts: list[int]) -> Segment:
        """The next `counts[i]` tokens of the rows `rows[i]`."""
        lengths = [self.rows[row].length for row in rows]
        needed = max(length + count for length, count in zip(lengths, counts, strict=True))
        if needed > self.own.capacity:  # doubled, so that growing costs no more than the answers themselves
            self.own.fit(self.own.rows, max(needed, 2 * self.own.capacity))
        return Segment(self.own, rows, lengths, counts, self.prefix, self.request.shared)

    def free(self, row: int) -> None:
        """Give the place of an answer that has ended to the last row, so that rows stay in line."""
        last = self.rows.pop()
        if row < len(self.rows):
            self.own.move(len(self.rows), row, last.length)
            self.rows[row] = last


@dataclass(slots=True, eq=False)
class _Work:
    """A segment of a step: new tokens of some rows of a group, or of its prefix (no rows)."""

    group: _Group
    segment: Segment
    tokens: list[int]
    rows: list[_Row] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


class Engine:
    """Runs requests on a decoder. Everything is called on one thread."""

    def __init__(self, loaded: Loaded, decoder: Decoder, limits: Limits | None = None) -> None:
        """`decoder` is the model in `loaded`."""
        self._loaded = loaded
        self._decoder = decoder
        self._shape = decoder.shape
        self._limits = limits or Limits()
        on_cpu = loaded.device.type == "cpu"
        self._ahead = (self._limits.ahead if on_cpu else 0) or self._limits.places
        self._chunk = self._limits.chunk or (CHUNK if on_cpu else CHUNK_ON_CUDA)
        self._crew = Crew(threads() if on_cpu else 1)
        self._graphs = Graphs(decoder) if self._limits.graphs and loaded.device.type == "cuda" else None
        self._groups: list[_Group] = []
        self._prefixes = PrefixCache(self._limits.prefixes)

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._groups)

    @property
    def held(self) -> int:
        """Bytes of keys and values in use or kept (a prefix that is both counts twice)."""
        own = sum(group.own.bytes for group in self._groups)
        return own + self._prefix_bytes() + self._prefixes.held

    def add(self, request: Request) -> None:
        """Take in a request."""
        group = _Group(request, KeyValues(self._shape, 0, 0), deque(request.answers))
        self._groups.append(group)

    def abandon(self, reason: LanguageError) -> None:
        """Drop every request, telling each why, and everything that is kept."""
        groups, self._groups = self._groups, []
        self._prefixes.clear()
        if self._graphs:
            self._graphs.forget()
        for group in groups:
            group.request.deliver(reason)

    def step(self) -> None:
        """One forward pass. What it completes is delivered; requests that were cancelled are forgotten."""
        import torch

        self._groups = [group for group in self._groups if not group.request.cancelled.is_set()]
        work: list[_Work] = []
        try:
            with torch.inference_mode(), self._crew:
                self._admit()
                work = list(self._plan())
                if work:
                    self._compute(work)
        except Exception as error:  # what failed is given up; the engine lives on
            failed = {id(item.group) for item in work}
            broken = [g for g in self._groups if id(g) in failed or not work]
            self._groups = [g for g in self._groups if g not in broken]
            self._prefixes.clear()
            reason = out_of_memory(error) or LanguageError(f"The language model failed: {error!r:.200}")
            for group in broken:
                group.request.deliver(reason)
        if self._graphs and not self._groups:
            self._graphs.forget()

    # Who gets a place

    def _admit(self) -> None:
        """Give free places to waiting answers: always to the request that has the fewest.

        Answers that others go ahead of wait on. An eighth of the places is kept for requests that have none yet, so
        that a newcomer starts at once.
        """
        kept = self._limits.places // 8
        while ready := [g for g in self._groups if g.ready and g.waiting and (g.ended or len(g.rows) < self._ahead)]:
            taken = sum(len(group.rows) for group in self._groups)
            group = min(ready, key=lambda g: len(g.rows))
            free = self._limits.places - taken - (kept if group.rows else 0)
            if free <= 0 or not self._fits(group, alone=taken == 0):
                return
            answer = group.waiting.popleft()
            group.rows.append(_Row(answer, answer.prompt[group.request.shared :]))
            if len(group.rows) > group.own.rows:
                rows = min(max(8, 2 * group.own.rows), len(group.rows) + len(group.waiting))
                group.own.fit(rows, max(group.own.capacity, len(answer.prompt) - group.request.shared + 64))

    def _fits(self, group: _Group, *, alone: bool) -> bool:
        """Whether the group's next answer, at its longest, fits into memory beside the others. One alone always may."""

        def most(group: _Group, answer: Answer) -> int:
            return len(answer.prompt) - group.request.shared + answer.sampling.max_tokens

        promised = sum(most(g, row.answer) for g in self._groups for row in g.rows) + most(group, group.waiting[0])
        return alone or promised * self._shape.bytes_per_token + self._prefix_bytes() <= self._limits.memory

    def _prefix_bytes(self) -> int:
        """Bytes of the prefixes of requests at work. Two that found the same one in the cache share it."""
        return sum({id(g.prefix): g.prefix.bytes for g in self._groups if g.prefix is not None}.values())

    # What a step computes

    def _plan(self) -> Iterator[_Work]:
        """The segments of the next step: all that decode, then prompts up to the chunk's size.

        Whoever has least left to read goes first, so that nobody's long prompt keeps a short one waiting. Prefixes are
        read one at a time: requests that come together often begin alike, and the second one finds in the cache what
        the first one read.
        """
        left, begun = 2 * self._chunk, False
        for group in self._groups:
            if decoding := [i for i, row in enumerate(group.rows) if len(row.pending) == 1]:
                left = self._chunk
                yield self._work(group, decoding, [1] * len(decoding))
        for group in sorted(self._groups, key=self._left_to_read):
            taken, counts = [], []
            for i, row in enumerate(group.rows):
                if len(row.pending) > 1 and (count := min(left, len(row.pending))):
                    taken.append(i)
                    counts.append(count)
                    left -= count
            if taken:
                yield self._work(group, taken, counts)
            if left and not begun and not group.ready and (prefix := self._begun_prefix(group)):
                begun = True
                tokens = list(group.prefix_tokens[group.read : group.read + left])
                left -= len(tokens)
                yield _Work(group, Segment(prefix, [0], [group.read], [len(tokens)]), tokens)

    def _work(self, group: _Group, rows: list[int], counts: list[int]) -> _Work:
        members = [group.rows[i] for i in rows]
        tokens = [token for row, count in zip(members, counts, strict=True) for token in row.pending[:count]]
        return _Work(group, group.segment(rows, counts), tokens, members, counts)

    def _left_to_read(self, group: _Group) -> int:
        """How many tokens of prompts the group has to read before it can go on."""
        if group.ready:
            return sum(len(row.pending) for row in group.rows if len(row.pending) > 1)
        known = group.read if group.prefix is not None else self._prefixes.longest(group.prefix_tokens)[0]
        return group.request.shared - known

    def _begun_prefix(self, group: _Group) -> KeyValues | None:
        """The prefix to read on; None if all of it was in the cache, or if memory has no room for it yet."""
        if group.prefix is not None:
            return group.prefix
        length, known = self._prefixes.longest(group.prefix_tokens)
        if known is not None and length == group.request.shared:
            group.prefix, group.read = known, length
            return None
        needed = group.request.shared * self._shape.bytes_per_token
        if (held := self._prefix_bytes()) and held + needed > self._limits.memory:
            return None
        group.prefix, group.read = KeyValues(self._shape, 1, group.request.shared), length
        if known is not None:
            group.prefix.copy_first(known, length)
        return group.prefix

    def _compute(self, work: list[_Work]) -> None:
        """The forward pass, and what follows from it."""
        last = []  # where in the flat batch the last token of a prompt, or a decoded token, is: there a token is drawn
        drawing: list[tuple[_Group, _Row]] = []
        start = 0
        for item in work:
            for row, count in zip(item.rows, item.counts, strict=True):
                start += count
                row.length += count
                row.pending = row.pending[count:]
                if not row.pending:
                    last.append(start - 1)
                    drawing.append((item.group, row))
            if not item.rows:
                start += item.segment.tokens
        tokens = [token for item in work for token in item.tokens]
        forward = self._decoder.forward if self._graphs is None else self._graphs.forward
        logits = forward(tokens, [item.segment for item in work], last)
        for item in work:
            if not item.rows:
                item.group.read += item.segment.tokens
                if item.group.ready and item.group.prefix is not None:
                    self._prefixes.keep(item.group.prefix_tokens, item.group.prefix)
        if logits is not None:
            self._draw(logits, drawing)

    def _draw(self, logits: torch.Tensor, drawing: list[tuple[_Group, _Row]]) -> None:
        answers = [row.answer for _, row in drawing]
        drawn = draw(logits, [a.sampling for a in answers], [len(a.tokens) for a in answers])
        told: dict[int, tuple[_Group, list[Piece]]] = {}
        for (group, row), one in zip(drawing, drawn, strict=True):
            row.pending = [one.token]
            room = self._loaded.window - group.request.shared - row.length - 1
            if piece := row.answer.accept(one, self._loaded.end_tokens, room):
                told.setdefault(id(group), (group, []))[1].append(piece)
        for group, pieces in told.values():
            for i in reversed(range(len(group.rows))):
                if group.rows[i].answer.ending is not None:
                    group.ended = True
                    group.free(i)
            group.request.deliver(pieces)
        self._groups = [group for group in self._groups if group.rows or group.waiting or not group.ready]
