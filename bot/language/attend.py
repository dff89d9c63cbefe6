"""Attention to one part of what a token sees, and joining the results of several parts.

Softmax over all keys is softmax over each part, weighted by the part's sum of exponentials (the trick of
FlashAttention, Dao et al. 2022): out = Σ out_i · w_i / Σ w_i with w_i = Σ exp(scores in part i). Parts are computed
with their log w, so that nothing overflows.

torch has kernels that do one part in a single pass and return log w, one for CPUs and one for CUDA. They are reached
through private operators, only here; each is compared with plain operations once, and those are used where it is
missing or differs.
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
    if cap is None and _has_fused(query.device.type):
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
    if query.device.type == "cpu":
        out, weight = _cpu_kernel()(query, keys, values, 0.0, False, attn_mask=mask, scale=scale)
        return out, weight
    rows, count = query.shape[2], keys.shape[2]
    if mask is not None:
        if missing := -count % _ALIGNED:
            import torch

            mask = torch.constant_pad_nd(mask, (0, missing))[..., :count]
        mask = mask.expand(*query.shape[:3], count)
    out, weight, *_ = _cuda_kernel()(query, keys, values, mask, True, scale=scale)
    return out, weight[..., :rows]  # it is padded to whole blocks of rows


_ALIGNED = 16
"""CUDA's kernel reads masks whose rows begin at multiples of this."""


@cache
def _cpu_kernel() -> Callable[..., Part]:
    """Called past torch's Python wrapper of operators, which takes as long as a small kernel does."""
    import torch

    operator = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    kernel: Callable[..., Part] = getattr(operator, "_op", operator)
    return kernel


@cache
def _cuda_kernel() -> Callable[..., tuple[torch.Tensor, ...]]:
    """The memory-efficient one: of those that return log w, it is the one that takes a mask."""
    import torch

    operator = torch.ops.aten._scaled_dot_product_efficient_attention.default
    kernel: Callable[..., tuple[torch.Tensor, ...]] = getattr(operator, "_op", operator)
    return kernel


@cache
def _has_fused(device: str) -> bool:
    """Whether a fused kernel is there for this type of device, and computes what the plain operations do."""
    import torch

    generator = torch.Generator().manual_seed(0)
    query, keys, values = (torch.randn(2, 3, rows, 16, generator=generator).to(device) for rows in (5, 40, 40))
    hidden = torch.rand(2, 1, 5, 40, generator=generator) < 0.5
    mask = torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf).to(device)
    tolerance = 1e-5 if device == "cpu" else 1e-3  # on CUDA float32 may be multiplied in fewer bits
    try:
        for given in (mask, None):
            pairs = zip(_fused(query, keys, values, given, 0.25), _plain(query, keys, values, given, 0.25), strict=True)
            if not all(torch.allclose(fused, plain, rtol=10 * tolerance, atol=tolerance) for fused, plain in pairs):
                log.info("Attention is not fused: results differ")
                return False
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        log.debug("There is no fused attention", exc_info=True)
        return False
    return True
