"""Attention over keys and values that are kept apart: a prefix that many sequences share, and what each has of its own.

The engine runs a step as one flat batch: the new tokens of all sequences in a row, (1, tokens), whatever sequence they
belong to and however many each has. Everything in a transformer treats tokens one by one, except attention. Here the
flat batch is taken apart into segments, each attends to its own keys and values, and the results go back in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Below it, CPU matrix kernels change their order of summation, and a row would depend on its neighbours
_LEAST_ROWS = 4
_KEYS_MULTIPLE = 16  # keys are read in whole vectors, so that padding does not shift the order of summation either


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model decides the shape of its keys and values."""

    layers: int
    heads: int  # of keys and values
    width: int  # of one head
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.layers * self.heads * self.width * self.dtype.itemsize


class KeyValues:
    """Keys and values of some sequences: two tensors (layers, rows, heads, capacity, width), one row a sequence.

    Unused places hold zeros or what was there before; masks hide them, and they are finite, so hiding them suffices.
    """

    def __init__(self, shape: Shape, rows: int, capacity: int) -> None:
        self.shape = shape
        self.keys, self.values = self._zeros(rows, capacity), self._zeros(rows, capacity)

    @property
    def rows(self) -> int:
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        """Tokens a row has place for."""
        return self.keys.shape[3]

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return self.keys.nbytes + self.values.nbytes

    def fit(self, rows: int, capacity: int) -> None:
        """Make room for that much at least, keeping what is there."""
        if rows <= self.rows and capacity <= self.capacity:
            return
        rows, capacity = max(rows, self.rows), max(capacity, self.capacity)
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = self._zeros(rows, capacity)
            new[:, : old.shape[1], :, : old.shape[3]] = old
            setattr(self, name, new)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of row `source` to row `target`."""
        for tensor in (self.keys, self.values):
            tensor[:, target, :, :length] = tensor[:, source, :, :length]

    def copy_first(self, other: KeyValues, length: int) -> None:
        """Take the first `length` tokens of `other`'s first row into the first row."""
        self.keys[:, 0, :, :length] = other.keys[:, 0, :, :length]
        self.values[:, 0, :, :length] = other.values[:, 0, :, :length]

    def _zeros(self, rows: int, capacity: int) -> torch.Tensor:
        import torch

        s = self.shape
        capacity = -(-capacity // _KEYS_MULTIPLE) * _KEYS_MULTIPLE
        return torch.zeros(s.layers, rows, s.heads, capacity, s.width, dtype=s.dtype, device=s.device)


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
        self.own, self.prefix, self.prefix_length = own, prefix, prefix_length
        self.tokens, self._sequences, self._longest = sum(counts), len(rows), max(counts)
        new = [(i, j) for i, count in enumerate(counts) for j in range(count)]
        self.positions = [prefix_length + lengths[i] + j for i, j in new]
        self._place = torch.tensor(new, device=device).unbind(dim=1)
        self._store = torch.tensor([(rows[i], lengths[i] + j) for i, j in new], device=device).unbind(dim=1)
        self._lengths = torch.tensor(lengths, device=device)
        in_line = list(rows) == list(range(rows[0], rows[0] + len(rows)))
        self._rows = slice(rows[0], rows[0] + len(rows)) if in_line else torch.tensor(rows, device=device)
        seen = max(length + count for length, count in zip(lengths, counts, strict=True))
        self._seen = -(-seen // _KEYS_MULTIPLE) * _KEYS_MULTIPLE
        self._masks: dict[int | None, torch.Tensor] = {}

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        scale: float,
        cap: float | None = None,
        window: int | None = None,
    ) -> torch.Tensor:
        """Store the new tokens' keys and values (tokens, key heads, width); attend with `query` (tokens, heads, width).

        Returns (tokens, heads, width). `cap` bounds the scores softly (Gemma 2); with `window`, a token sees only the
        last `window` tokens, itself included.
        """
        import torch

        row, slot = self._store
        own_keys, own_values = self.own.keys[layer], self.own.values[layer]
        own_keys[row, :, slot], own_values[row, :, slot] = key, value
        keys, values = own_keys[self._rows, :, : self._seen], own_values[self._rows, :, : self._seen]

        queries = self._by_sequence(query * scale, key.shape[1])
        scores = queries @ keys.transpose(-1, -2)
        if self.prefix is not None:
            shared_keys = self.prefix.keys[layer, 0, :, : self.prefix_length]
            scores = torch.cat([_times_shared(queries, shared_keys.transpose(-1, -2)), scores], dim=-1)
        scores = scores.float()
        if cap is not None:
            scores = torch.tanh(scores / cap) * cap
        mask = self._mask(window)
        sequences, key_heads, _, seen = scores.shape
        by_token = scores.view(sequences, key_heads, -1, self._longest, seen)  # adding to the view adds to the scores
        by_token[..., seen - mask.shape[-1] :] += mask
        weights = torch.softmax(scores, dim=-1).to(value.dtype)

        out = weights[..., self.prefix_length :] @ values
        if self.prefix is not None:
            shared_values = self.prefix.values[layer, 0, :, : self.prefix_length]
            out = out + _times_shared(weights[..., : self.prefix_length], shared_values)
        return self._in_a_row(out)

    def _by_sequence(self, query: torch.Tensor, key_heads: int) -> torch.Tensor:
        """(tokens, heads, width) to (sequences, key heads, heads per key head x longest, width), padded with zeros."""
        heads, width = query.shape[1:]
        padded = query
        if self.tokens != self._sequences:
            padded = query.new_zeros(self._sequences, self._longest, heads, width)
            padded[self._place] = query
        padded = padded.view(self._sequences, self._longest, key_heads, heads // key_heads, width)
        return padded.permute(0, 2, 3, 1, 4).flatten(2, 3)

    def _in_a_row(self, out: torch.Tensor) -> torch.Tensor:
        """The way back: (sequences, key heads, heads per key head x longest, width) to (tokens, heads, width)."""
        sequences, key_heads, _, width = out.shape
        out = out.view(sequences, key_heads, -1, self._longest, width).permute(0, 3, 1, 2, 4).flatten(2, 3)
        return out[self._place] if self.tokens != self._sequences else out.flatten(0, 1)

    def _mask(self, window: int | None) -> torch.Tensor:
        """What new tokens must not see is -inf, the rest 0: (sequences, 1, 1, longest, keys).

        It covers all keys, or only the sequences' own where the whole prefix is seen, as it is without a window.
        """
        import torch

        if window is not None and window > max(self.positions):
            window = None
        if window not in self._masks:
            device = self._lengths.device
            # places are counted from the end of the prefix
            token = self._lengths[:, None] + torch.arange(self._longest, device=device)
            key = torch.arange(0 if window is None else -self.prefix_length, self._seen, device=device)
            hidden = key > token[..., None]
            if window is not None:
                hidden |= key <= token[..., None] - window
            mask = torch.zeros(hidden.shape, device=device).masked_fill_(hidden, -torch.inf)
            self._masks[window] = mask[:, None, None]
        return self._masks[window]


def _times_shared(rows: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """(sequences, heads, rows, n) times (heads, n, m), which all sequences share: one product a head.

    This is where a shared prefix pays: its keys and values are read once for all sequences.
    """
    from torch.nn.functional import pad

    sequences, _heads, count, _width = rows.shape
    flat = rows.transpose(0, 1).flatten(1, 2)
    product: torch.Tensor = pad(flat, (0, 0, 0, max(0, _LEAST_ROWS - flat.shape[1]))) @ shared
    product = product[:, : flat.shape[1]].reshape(flat.shape[0], sequences, count, -1)
    return product.transpose(0, 1)
