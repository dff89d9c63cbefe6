"""Linear layers whose weights lie in memory as the CPU's matrix kernels read them.

A plain linear layer hands its weights to the kernel row by row, and for the few rows of a decode step most of the time
goes into fetching and rearranging them. The libraries that torch carries can rearrange them once:

    fbgemm   keeps float16 weights and computes in float32: half the memory to fetch (x86 with AVX2)
    oneDNN   keeps the weights' own dtype (any CPU; bf16 where the hardware multiplies it)

Both compute a row alike in any batch, so that it does not depend on what else is in there (fbgemm with some care).

torch offers both through private operators only. They are used in this file and nowhere else, each layer is compared
with the plain one when it is made, and where none passes the plain one is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Linear = Callable[["torch.Tensor"], "torch.Tensor"]
"""y = x Wᵀ + b, for x of shape (rows, in features)."""

_ROWS = 16
"""The number of rows for which oneDNN lays weights out. Measured best for 2 to 300 rows."""

_PROBED = 64
"""Outputs of a packed layer that its check looks at, spread over all. To look at all would take as long as loading."""


def make_linear(weight: torch.Tensor, bias: torch.Tensor | None = None) -> Linear:
    """The fastest layer that computes with `weight` (out, in) what the plain one does, on the weight's device.

    What it keeps is a copy where it is packed; the given weight may then be freed.
    """
    import torch

    if weight.device.type == "cpu":
        for name, candidate in _packings(weight, bias):
            try:
                with torch.inference_mode():
                    linear = candidate()
                    if _agrees(linear, weight, bias):
                        return linear
                log.info("Linear layers are not packed by %s: results differ", name)
            except (AttributeError, RuntimeError, NotImplementedError):
                log.debug("%s cannot pack this layer", name, exc_info=True)
    return lambda x: torch.nn.functional.linear(x, weight, bias)


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (AMX or AVX-512 BF16). Without, float32 is faster."""
    import torch

    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def _packings(weight: torch.Tensor, bias: torch.Tensor | None) -> Iterator[tuple[str, Callable[[], Linear]]]:
    """Ways to pack, the fastest first."""
    import torch

    if weight.dtype == torch.float32 and "fbgemm" in torch.backends.quantized.supported_engines:
        yield "fbgemm", lambda: _fbgemm(weight, bias)
    yield "oneDNN", lambda: _onednn(weight, bias)


def _fbgemm(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    if not all(abs(float(end)) < torch.finfo(torch.float16).max for end in weight.aminmax()):
        raise NotImplementedError("a weight is beyond float16")
    packed = torch.ops.quantized.linear_prepack_fp16(weight, bias)
    compute = _past_the_wrapper(torch.ops.quantized.linear_dynamic_fp16.default)
    padding = _padding()

    def linear(x: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        if missing := padding[rows % _BLOCK]:
            y: torch.Tensor = compute(torch.constant_pad_nd(x, (0, 0, 0, missing)), packed)[:rows]
            return y
        return compute(x, packed)  # type: ignore[no-any-return]

    return linear


_BLOCK = 120
"""fbgemm takes rows in blocks of this many, and splits what is left into strips of 1 to 6 rows."""


@cache
def _padding() -> tuple[int, ...]:
    """How many rows of zeros each count of rows, from 0 to a block, needs for every row to be computed alike.

    Strips of one and two rows sum up in another order than longer ones, so counts that lead to them are filled up.
    Which those are is tried out here, on a small matrix.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    packed = torch.ops.quantized.linear_prepack_fp16(torch.randn(32, 96, generator=generator), None)
    compute = torch.ops.quantized.linear_dynamic_fp16
    rows = torch.randn(1, 96, generator=generator).expand(2 * _BLOCK, 96).contiguous()
    standard = compute(rows[:3], packed)[:1]
    alike = [count == 0 or bool((compute(rows[:count], packed) == standard).all()) for count in range(_BLOCK + 6)]
    return tuple(next((i for i in range(6) if alike[count + i]), 0) for count in range(_BLOCK))


def _onednn(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    packed = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS)
    compute = _past_the_wrapper(torch.ops.mkldnn._linear_pointwise.default)

    def linear(x: torch.Tensor) -> torch.Tensor:
        rows = x.shape[0]
        if missing := _counted(rows) - rows:
            x = torch.constant_pad_nd(x, (0, 0, 0, missing))
            y: torch.Tensor = compute(x, packed, bias, "none", [], "")[:rows]
            return y
        return compute(x, packed, bias, "none", [], "")  # type: ignore[no-any-return]

    return linear


def _counted(rows: int) -> int:
    """How many rows oneDNN is given for so many: for each count it makes half a megabyte of code, and keeps it.

    A row by itself would be summed up in another order than beside others, so there are never less than two.
    """
    step = 1 if rows <= 16 else 4 if rows <= 32 else 8 if rows <= 128 else 24
    return max(2, -(-rows // step) * step)


def _past_the_wrapper(operator: Any) -> Callable[..., Any]:
    """The operator itself: torch's Python wrapper around it takes as long as a small layer does."""
    inner: Callable[..., Any] = getattr(operator, "_op", operator)
    return inner


def _agrees(linear: Linear, weight: torch.Tensor, bias: torch.Tensor | None) -> bool:
    """Whether the layer gives the results of the plain one, as far as its dtype allows."""
    import torch

    probe = torch.linspace(-1, 1, 3 * weight.shape[1], dtype=weight.dtype).view(3, weight.shape[1])
    outputs = torch.linspace(0, len(weight) - 1, min(_PROBED, len(weight))).long()
    expected = torch.nn.functional.linear(probe, weight[outputs], None if bias is None else bias[outputs])
    tolerance = 1e-3 if weight.dtype == torch.float32 else 2e-2
    found = linear(probe)[:, outputs]
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))
