"""Attention to one part of what a token sees, and joining the results of several parts.

Softmax over all keys is softmax over each part, weighted by the part's sum of exponentials (the trick of
FlashAttention, Dao et al. 2022): out = Σ out_i · w_i / Σ w_i with w_i = Σ exp(scores in part i). Parts are computed
with their log w, so that nothing overflows.

On the CPU torch has a kernel that does one part in a single pass and returns log w. It is reached through a private
operator, only here; it is compared with plain operations once, and those are used where it is missing or differs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Part = tuple[torch.Tensor, torch.Tensor]

log = logging.getLogger(__name__)


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    cap: float | None = None,
) -> Part:
    """Softmax attention of `query` (batch, heads, rows, width) over `keys` and `values` (batch, heads, keys, width).

    `mask` is added to the scores and broadcasts to (batch, heads, rows, keys). Of a row that it lets see no key,
    nothing is promised but that its result is finite. `cap` bounds the scores softly. Returns (batch, heads, rows,
    width), and the natural log of the sum of exponentiated scores (batch, heads, rows) in float32.
    """
    if cap is None and query.device.type == "cpu" and _has_fused():
        return _fused(query, keys, values, mask, scale)
    return _plain(query, keys, values, mask, scale, cap)


def joined(one: Part, other: Part) -> torch.Tensor:
    """The attention over two parts together. Both are (..., width) and (...), of one shape."""
    import torch

    share = torch.sigmoid(other[1] - one[1]).unsqueeze(-1)
    return torch.lerp(one[0], other[0], share if share.dtype == one[0].dtype else share.to(one[0].dtype))


def _plain(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    cap: float | None = None,
) -> Part:
    import torch

    scores = ((query * scale) @ keys.transpose(-1, -2)).float()
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    if mask is not None:
        scores = scores + mask
    weight = torch.logsumexp(scores, dim=-1)
    weights = torch.exp(scores - weight.unsqueeze(-1)).nan_to_num_(0.0)  # a row that sees no key
    return weights.to(values.dtype) @ values, weight


def _fused(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None, scale: float
) -> Part:
    out, weight = _kernel()(query, keys, values, 0.0, False, attn_mask=mask, scale=scale)
    return out, weight


@cache
def _kernel() -> Callable[..., Part]:
    """The fused kernel. Called past torch's Python wrapper of operators, which takes as long as a small one does."""
    import torch

    operator = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    kernel: Callable[..., Part] = getattr(operator, "_op", operator)
    return kernel


@cache
def _has_fused() -> bool:
    """Whether the fused kernel is there, and computes what the plain operations do."""
    import torch

    generator = torch.Generator().manual_seed(0)
    query, keys, values = (torch.randn(2, 3, rows, 16, generator=generator) for rows in (5, 32, 32))
    mask = torch.zeros(2, 1, 5, 32).masked_fill_(torch.rand(2, 1, 5, 32, generator=generator) < 0.5, -torch.inf)
    try:
        for hidden in (mask, None):
            pairs = zip(
                _fused(query, keys, values, hidden, 0.25), _plain(query, keys, values, hidden, 0.25), strict=True
            )
            if not all(torch.allclose(fused, plain, rtol=1e-4, atol=1e-5) for fused, plain in pairs):
                log.info("Attention is not fused: results differ")
                return False
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        log.debug("There is no fused attention", exc_info=True)
        return False
    return True
