"""Where the keys and values of sequences are kept while they run, and for the next request that begins alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ROUNDING = 16
"""Keys are read in multiples of this: padding then does not shift the order in which kernels sum up."""


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
    """Keys and values of some sequences, one row a sequence: a tensor (layers, 2, rows, heads, capacity, width).

    Unused places hold zeros or what was there before; masks hide them, and they are finite, so hiding them suffices.
    """

    def __init__(self, shape: Shape, rows: int, capacity: int) -> None:
        self.shape = shape
        self._both = self._zeros(rows, capacity)

    @property
    def rows(self) -> int:
        return self._both.shape[2]

    @property
    def capacity(self) -> int:
        """Tokens a row has place for."""
        return self._both.shape[4]

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return self._both.nbytes

    def layer(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of a layer, (rows, heads, capacity, width) each."""
        keys, values = self._both[index]
        return keys, values

    def slots(self, places: Sequence[tuple[int, int]]) -> torch.Tensor:
        """What `store` needs to know of the (row, place in the row) of each token that it is to store."""
        import torch

        _, _, rows, heads, capacity, _ = self._both.shape
        starts = torch.tensor([row * heads * capacity + place for row, place in places], device=self.shape.device)
        part = torch.arange(2 * heads, device=self.shape.device)  # keys of every head, then values of every head
        return (starts[:, None] + (part // heads * rows * heads + part % heads) * capacity).flatten()

    def store(self, layer: int, slots: torch.Tensor, key_values: torch.Tensor) -> None:
        """Store tokens' keys and values, (tokens, 2 x heads, width), keys first. Valid until `fit` is called."""
        width = self.shape.width
        self._both[layer].view(-1, width).index_copy_(0, slots, key_values.reshape(-1, width))

    def fit(self, rows: int, capacity: int) -> None:
        """Make room for that much at least, keeping what is there."""
        if rows <= self.rows and capacity <= self.capacity:
            return
        old = self._both
        self._both = self._zeros(max(rows, self.rows), max(capacity, self.capacity))
        self._both[:, :, : old.shape[2], :, : old.shape[4]] = old

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of row `source` to row `target`."""
        self._both[:, :, target, :, :length] = self._both[:, :, source, :, :length]

    def copy_first(self, other: KeyValues, length: int) -> None:
        """Take the first `length` tokens of `other`'s first row into the first row."""
        self._both[:, :, 0, :, :length] = other._both[:, :, 0, :, :length]

    def _zeros(self, rows: int, capacity: int) -> torch.Tensor:
        import torch

        s = self.shape
        capacity = -(-capacity // ROUNDING) * ROUNDING
        return torch.zeros(s.layers, 2, rows, s.heads, capacity, s.width, dtype=s.dtype, device=s.device)
