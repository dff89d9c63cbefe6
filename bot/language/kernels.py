"""PyTorch's kernels for the query embedder: the language model has loaded PyTorch, so a query need not do without.

Knows nothing of embedders: it is handed weights and gives back layers, of NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.language.packed import make_linear

Array: TypeAlias = NDArray[np.float32]


class TorchKernels:
    """Linear layers packed as packed.py packs them, and what stands between them. Half of NumPy's time for a query."""

    def linear(self, weight: Array, bias: Array) -> Callable[[Array], Array]:
        """x Wᵀ + b, for `weight` (out, in), `bias` (out,) and x of shape (rows, in)."""
        import torch

        packed = make_linear(torch.from_numpy(weight), torch.from_numpy(bias))

        def linear(x: Array) -> Array:
            with torch.inference_mode():
                return _array(packed(torch.from_numpy(x)))

        return linear

    def gelu(self, x: Array) -> Array:
        """x times the normal distribution's share below x."""
        import torch

        with torch.inference_mode():
            return _array(torch.nn.functional.gelu(torch.from_numpy(x)))

    def norm(self, x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
        """Layer normalization of each row of x, (rows, dimension)."""
        import torch

        scale, shift = torch.from_numpy(weight), torch.from_numpy(bias)
        with torch.inference_mode():
            return _array(torch.nn.functional.layer_norm(torch.from_numpy(x), weight.shape, scale, shift, epsilon))

    def attention(self, query: Array, key: Array, value: Array) -> Array:
        """Every token's mixture of all values, by how its query goes with their keys: all (heads, tokens, width)."""
        import torch

        q, k, v = (torch.from_numpy(part)[None] for part in (query, key, value))
        with torch.inference_mode():
            return _array(torch.nn.functional.scaled_dot_product_attention(q, k, v)[0])


def _array(tensor: Any) -> Array:
    array: Array = tensor.numpy()
    return array
