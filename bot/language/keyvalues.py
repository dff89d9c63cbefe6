"""Where the keys and values of sequences are kept while they run, and for the next request that begins alike."""

from __future__ import annotations

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
        self._views: tuple[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = ((), [])

    @property
    def rows(self) -> int:
        return self._both.shape[2]

    @property
    def capacity(self) -> int:
        """Tokens a row has place for."""
        return self._both.shape[4]

    @property
    def memory(self) -> torch.Tensor:
        """Where they are: another tensor after each `fit` that made room."""
        return self._both

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return self._both.nbytes

    def read(self, layer: int, rows: range | torch.Tensor, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `tokens` keys and values of some rows, (rows, heads, tokens, width) each."""
        if not isinstance(rows, range):
            keys, values = self._both[layer, :, rows, :, :tokens]
            return keys, values
        return self._viewed((rows.start, rows.stop, tokens))[layer]

    def read_one(self, layer: int, row: int, tokens: int, group: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of one row, its heads as the batch: (heads, group, tokens, width), alike for all of the group."""
        return self._viewed((row, row + 1, tokens, group))[layer]

    def _viewed(self, what: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Views by layer. Those asked for last are kept: step after step asks for the same."""
        if self._views[0] != what:
            start, stop, tokens, *group = what
            part = self._both[:, :, start:stop, :, :tokens]
            if group:
                part = part[:, :, 0].unsqueeze(3).expand(-1, -1, -1, group[0], -1, -1)
            self._views = what, [(both[0], both[1]) for both in part]
        return self._views[1]

    def slots(self, rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """What `store` needs to know of the row of each token that it is to store, and of its place there."""
        import torch

        _, _, count, heads, capacity, _ = self._both.shape
        starts = rows * (heads * capacity) + places
        part = torch.arange(2 * heads, device=self.shape.device)  # keys of every head, then values of every head
        return (starts[:, None] + (part // heads * count * heads + part % heads) * capacity).flatten()

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
        self._views = (), []

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
