"""Attention over keys and values that are kept apart: a prefix that many sequences share, and what each has of its own.

The engine runs a step as one flat batch: the new tokens of all sequences in a row, whatever sequence they belong to
and however many each has. Everything in a transformer treats tokens one by one, except attention. Here the flat batch
is taken apart into segments. A segment's tokens attend to the prefix and to their own sequence, each by itself, and the
two results are put together (attend.py). So a prefix is read once for all sequences, and never copied for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.language.attend import attend, joined
from bot.language.keyvalues import ROUNDING, KeyValues

if TYPE_CHECKING:
    import torch

_ROWS_MULTIPLE = 4
"""CPU matrix kernels sum up in another order where fewer rows than this are left over from a block."""


class Segment:
    """New tokens of sequences that share one prefix, and where their keys and values are kept."""

    def __init__(
        self,
        own: KeyValues,
        rows: Sequence[int],
        lengths: Sequence[int],
        counts: Sequence[int],
        prefix: KeyValues | None = None,
        prefix_length: int = 0,
    ) -> None:
        """`rows` are the sequences' rows in `own`. Sequence i has `counts[i]` new tokens, which come after `lengths[i]`
        that are in its row already. Before all of that comes `prefix` (one row, `prefix_length` tokens).
        """
        import torch

        device = own.shape.device
        self.tokens = sum(counts)
        self.own, self.prefix, self.lengths = own, prefix, lengths
        self._prefix_length = prefix_length
        self._sequences, self._longest, self._first = len(rows), max(counts), rows[0]
        self._alone = self._sequences == 1 and self._longest > 1  # a prompt that is read, with nothing beside it
        new = [(rows[i], lengths[i] + j, i, j) for i, count in enumerate(counts) for j in range(count)]
        self._even = len(new) == self._sequences * self._longest  # as when every sequence has one new token
        self._stored, self._places, *self._place = torch.tensor(new, device=device).unbind(dim=1)
        self._slots: torch.Tensor | None = None  # made when they are needed: until then, `own` may still grow
        line = range(rows[0], rows[0] + len(rows))
        self._rows = line if list(rows) == list(line) else torch.tensor(rows, device=device)
        self._lengths = self._places if self._longest == 1 else torch.tensor(lengths, device=device)
        seen = max(length + count for length, count in zip(lengths, counts, strict=True))
        self._seen = -(-seen // ROUNDING) * ROUNDING
        self._furthest = prefix_length + seen - 1
        self._masks: dict[tuple[str, int | None], torch.Tensor | None] = {}

    @property
    def positions(self) -> torch.Tensor:
        """Where the new tokens are in their sequences, counted from the prefix's first: (tokens,)."""
        return self._places + self._prefix_length

    @property
    def decodes(self) -> bool:
        """Whether the first rows of `own` have one new token each."""
        return self._longest == 1 and isinstance(self._rows, range) and self._first == 0

    def steady(self, lengths: torch.Tensor) -> Segment:
        """One new token for each row of `own`, whatever their `lengths` (rows,), which are read only on the device.

        It looks at all that a row has place for; so what it computes has the same shapes until `own` makes room.
        """
        rows, longest = self.own.rows, self.own.capacity - 1
        made = Segment(self.own, range(rows), [longest] * rows, [1] * rows, self.prefix, self._prefix_length)
        made._places = made._lengths = lengths
        return made

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        key_values: torch.Tensor,
        *,
        scale: float,
        cap: float | None = None,
        window: int | None = None,
    ) -> torch.Tensor:
        """Store the new tokens' keys and values, then attend with their queries.

        `query` is (tokens, heads, width), `key_values` (tokens, 2 x key heads, width), keys first. Returns (tokens,
        heads x width). `cap` bounds the scores softly (Gemma 2); with `window`, a token sees only the last `window`
        tokens, itself included.
        """
        if self._slots is None:
            self._slots = self.own.slots(self._stored, self._places)
        self.own.store(layer, self._slots, key_values)
        tokens, heads, width = query.shape
        key_heads = self.own.shape.heads
        group = heads // key_heads
        query = query.view(tokens, key_heads, group, width)
        mask = self._own_mask(window, group)
        if self._alone:  # its heads are the batch, and each key head is seen by all queries that share it
            keys, values = self.own.read_one(layer, self._first, self._seen, group)
            out, weight = attend(query.permute(1, 2, 0, 3), keys, values, mask, scale, cap)
            out, weight = out.permute(2, 0, 1, 3), weight.permute(2, 0, 1)
        else:
            keys, values = self.own.read(layer, self._rows, self._seen)
            out, weight = attend(self._by_sequence(query), keys, values, mask, scale, cap)
            out, weight = self._in_a_row(out), self._in_a_row(weight)
        if self.prefix is not None:
            out = joined((out, weight), self._attend_prefix(layer, query, scale, cap, window))
        return out.reshape(tokens, heads * width)

    def _attend_prefix(
        self, layer: int, query: torch.Tensor, scale: float, cap: float | None, window: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the tokens see of the prefix: (tokens, key heads, heads per key head, width), and its weight."""
        import torch

        assert self.prefix is not None
        tokens, key_heads, group, width = query.shape
        # all that look at one key head are its rows, so that the head's keys are read once
        rows = query.transpose(0, 1).reshape(1, key_heads, tokens * group, width)
        if left := tokens * group % _ROWS_MULTIPLE:
            rows = torch.constant_pad_nd(rows, (0, 0, 0, _ROWS_MULTIPLE - left))
        keys, values = self.prefix.read(layer, range(1), self._prefix_length)
        mask = self._prefix_mask(window, group, rows.shape[2])
        out, weight = attend(rows, keys, values, mask, scale, cap)
        if mask is not None:  # the window may have left the prefix behind
            weight = weight.masked_fill(torch.isneginf(mask).all(dim=-1), -torch.inf)
        seen = slice(tokens * group)
        out = out[0, :, seen].view(key_heads, tokens, group, width).transpose(0, 1)
        return out, weight[0, :, seen].view(key_heads, tokens, group).transpose(0, 1)

    def _by_sequence(self, query: torch.Tensor) -> torch.Tensor:
        """(tokens, key heads, group, width) to (sequences, key heads, group x longest, width), padded with zeros."""
        if self._longest == 1:
            return query
        if self._even:
            padded = query.view(self._sequences, self._longest, *query.shape[1:])
        else:
            padded = query.new_zeros(self._sequences, self._longest, *query.shape[1:])
            padded[*self._place] = query
        return padded.permute(0, 2, 3, 1, 4).flatten(2, 3)

    def _in_a_row(self, out: torch.Tensor) -> torch.Tensor:
        """The way back: (sequences, key heads, group x longest, ...) to (tokens, key heads, group, ...)."""
        if self._longest == 1:
            return out
        sequences, key_heads, rows = out.shape[:3]
        out = out.view(sequences, key_heads, rows // self._longest, self._longest, *out.shape[3:]).movedim(3, 1)
        return out.flatten(0, 1) if self._even else out[*self._place]

    def _own_mask(self, window: int | None, group: int) -> torch.Tensor | None:
        """-inf where a token must not see, else 0: (sequences, 1, group x longest, keys), or without group for one."""
        import torch

        window = self._effective(window)
        if ("own", window) not in self._masks:
            device = self._lengths.device
            token = (self._lengths[:, None] + torch.arange(self._longest, device=device))[..., None]
            key = torch.arange(self._seen, device=device)
            hidden = key > token
            if window is not None:
                hidden |= key <= token - window
            mask = torch.zeros(hidden.shape, dtype=self.own.shape.dtype, device=device)
            mask.masked_fill_(hidden, -torch.inf)
            if not self._alone:
                mask = mask[:, None].expand(-1, group, -1, -1).flatten(1, 2)
            self._masks["own", window] = mask[:, None]
        return self._masks["own", window]

    def _prefix_mask(self, window: int | None, group: int, rows: int) -> torch.Tensor | None:
        """The same for the prefix, which is seen whole where no window ends in it: (1, 1, rows, keys) or None."""
        import torch

        window = self._effective(window)
        if window is None:
            return None
        if ("prefix", window) not in self._masks:
            device = self._lengths.device
            token = torch.zeros(rows, 1, dtype=torch.long, device=device)
            token[: self.tokens * group, 0] = self.positions.repeat_interleave(group)
            hidden = torch.arange(self._prefix_length, device=device) <= token - window
            mask = torch.zeros(hidden.shape, dtype=self.own.shape.dtype, device=device)
            self._masks["prefix", window] = mask.masked_fill_(hidden, -torch.inf)[None, None]
        return self._masks["prefix", window]

    def _effective(self, window: int | None) -> int | None:
        """The window if any token is so far on that it hides something."""
        return None if window is None or window > self._furthest else window
