"""Drawing the next token of each sequence from its logits.

All randomness is counter-based: the noise of a token is a hash of (seed, step, token id). No generator is advanced, so
what is drawn for one sequence depends on nothing but its own logits, seed and step: not on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.language.base import Sampling

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Draw:
    """A drawn token and its natural log probability under the unfiltered distribution at temperature 1."""

    token: int
    log_probability: float


def draw(logits: torch.Tensor, samplings: Sequence[Sampling], steps: Sequence[int]) -> list[Draw]:
    """Draw one token a row.

    `logits` is (rows, vocabulary), any floating dtype; row i is sampled by `samplings[i]`, and `steps[i]` counts the
    tokens that its sequence has drawn before. The filters work on the tempered distribution: first `top_k`, then
    `top_p` on what is left (keeping the token that crosses the threshold).

    The draw itself is Gumbel-max: argmax of log p + g, with g standard Gumbel noise, is distributed as p (Gumbel 1954;
    Maddison et al. 2014, "A* Sampling"). Unlike the inverse of a cumulative sum it does not depend on an order of
    tokens, so rounding errors in the logits change the outcome only where two tokens all but tie.
    """
    import torch

    logits = logits.float()
    rows, vocabulary = logits.shape
    chosen = torch.empty(rows, dtype=torch.long, device=logits.device)
    for width, members in _by_width(samplings, vocabulary).items():
        index = torch.tensor(members, device=logits.device)
        chosen[index] = _draw_rows(
            logits if len(members) == rows else logits[index],
            [samplings[i] for i in members],
            [steps[i] for i in members],
            width,
        )
    surprise = torch.nn.functional.cross_entropy(logits, chosen, reduction="none")
    return [Draw(token, -value) for token, value in zip(chosen.tolist(), surprise.tolist(), strict=True)]


def _by_width(samplings: Sequence[Sampling], vocabulary: int) -> dict[int, list[int]]:
    """Rows by how many of the likeliest tokens have to be looked at: 1 (greedy), top_k, or all of them."""
    groups: dict[int, list[int]] = {}
    for row, sampling in enumerate(samplings):
        width = 1 if sampling.temperature <= 0 else min(sampling.top_k, vocabulary) or vocabulary
        groups.setdefault(width, []).append(row)
    return groups


def _draw_rows(logits: torch.Tensor, samplings: Sequence[Sampling], steps: Sequence[int], width: int) -> torch.Tensor:
    """Token ids (rows,) for rows that all look at their `width` likeliest tokens."""
    import torch

    if width == 1:
        return logits.argmax(dim=-1)
    device = logits.device
    # topk before anything else: sorting 50 values of a row instead of 50,000 keeps a step's sampling under 1 ms
    top, tokens = torch.topk(logits, width, dim=-1)
    temperature = torch.tensor([s.temperature for s in samplings], device=device)[:, None]
    log_p = torch.log_softmax(top / temperature, dim=-1)
    p = log_p.exp()
    before = p.cumsum(dim=-1) - p
    top_p = torch.tensor([s.top_p for s in samplings], device=device)[:, None]
    outside = before >= top_p
    outside[:, 0] = False
    noise = _gumbel([s.seed for s in samplings], steps, tokens)
    best = (log_p + noise).masked_fill(outside, -torch.inf).argmax(dim=-1, keepdim=True)
    return tokens.gather(1, best)[:, 0]


def _gumbel(seeds: Sequence[int], steps: Sequence[int], tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise of the shape of `tokens` (rows, width), a pure function of (seed, step, token id)."""
    import torch

    keys = [_signed(_mix(_mix(seed) ^ step)) for seed, step in zip(seeds, steps, strict=True)]
    bits = _mix_tensor(torch.tensor(keys, device=tokens.device)[:, None] ^ tokens)
    # 53 random bits, shifted by half a step so that neither 0 nor 1 can come out
    uniform = (((bits >> 11) & ((1 << 53) - 1)).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform)).float()


_INCREMENT, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def _mix(value: int) -> int:
    """SplitMix64's output function (Steele, Lea and Flood 2014), on 64-bit unsigned integers."""
    value = (value + _INCREMENT) & _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


def _mix_tensor(value: torch.Tensor) -> torch.Tensor:
    """`_mix` on an int64 tensor, whose arithmetic wraps and whose right shift drags the sign along."""
    value = value + _signed(_INCREMENT)
    value = (value ^ ((value >> 30) & ((1 << 34) - 1))) * _signed(_FIRST)
    value = (value ^ ((value >> 27) & ((1 << 37) - 1))) * _signed(_SECOND)
    return value ^ ((value >> 31) & ((1 << 33) - 1))


def _signed(value: int) -> int:
    """The 64-bit two's complement reading of an unsigned integer."""
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value
