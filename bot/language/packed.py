"""Linear layers whose weights lie in memory as the CPU's matrix kernels read them.

A plain linear layer hands its weights to the kernel row by row, and for the few rows of a decode step much of the time
goes into rearranging them. oneDNN, which torch carries, can rearrange them once. Two things follow: a step of 4 to 20
rows takes about half the time, and the kernel is the same for any number of rows, so that a row's result does not
depend on what else is in the batch (bit for bit, where measured).

torch offers this through private operators only. They are used in this file and nowhere else, each packed layer is
compared with the plain one when it is made, and a layer that cannot be packed stays as it is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_ROWS = 16
"""The number of rows to lay out for. Measured best for 2 to 300 rows, and no worse than plain for one."""


def pack_linears(model: torch.nn.Module) -> int:
    """Replace the linear layers of a model on the CPU by packed ones, in place; return how many could be replaced.

    The plain weights are freed, unless something else (a tied embedding) uses them.
    """
    from torch import nn

    places = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear
    ]
    packed = 0
    for parent, name in places:
        replacement = _packed(getattr(parent, name))
        if replacement is None:
            log.info("Linear layers stay unpacked from %s on: packing it failed or changed its results", name)
            break
        setattr(parent, name, replacement)
        packed += 1
    return packed


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (AMX or AVX-512 BF16). Without, float32 is faster."""
    import torch

    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def _packed(linear: torch.nn.Linear) -> torch.nn.Module | None:
    """A packed layer that gives the same results, or None."""
    import torch

    probe = torch.linspace(-1, 1, 3 * linear.in_features, dtype=linear.weight.dtype).view(3, linear.in_features)
    tolerance = 1e-4 if linear.weight.dtype == torch.float32 else 2e-2
    try:
        with torch.inference_mode():
            layer = _make_layer(linear)
            expected = linear(probe)
            if torch.allclose(layer(probe), expected, rtol=tolerance, atol=tolerance * float(expected.abs().max())):
                return layer
    except (AttributeError, RuntimeError, NotImplementedError):
        log.debug("oneDNN cannot pack this layer", exc_info=True)
    return None


def _make_layer(linear: torch.nn.Linear) -> torch.nn.Module:
    import torch

    class PackedLinear(torch.nn.Module):
        """y = x Wᵀ + b, for x of shape (..., in features)."""

        def __init__(self) -> None:
            super().__init__()
            self.weight: Any = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)
            self.bias = None if linear.bias is None else linear.bias.detach()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
            return y

    return PackedLinear()
