"""From conversations to batches of token ids, with little padding and a plan that a seed fixes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.examples import Example

if TYPE_CHECKING:
    import torch

BLOCK = 12
"""Batches that are sorted by length together: enough for little padding, few enough to keep the order random."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation as token ids; `ids[start:]` is the answer, its end mark included."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded conversations. Padding needs no mask: attention is causal and no loss looks at it.

    `ids` is int64 (sequences, tokens); `rows` and `columns` are int64 (answer tokens,), the places in `ids` whose next
    token the loss asks for; `targets` int64 (answer tokens,) are those next tokens.
    """

    ids: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    targets: torch.Tensor


def encode(example: Example, tokenizer: Any) -> Encoded:
    """The conversation through the tokenizer's own chat template; the answer ends with its end-of-turn mark."""
    turns = [{"role": message.role, "content": message.text} for message in example.messages]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(asked, add_special_tokens=False).input_ids
    answer = tokenizer(f"{example.answer}<|im_end|>", add_special_tokens=False).input_ids
    return Encoded((*prompt, *answer), len(prompt))


def plan(lengths: Sequence[int], budget: int, seed: int) -> list[list[int]]:
    """One pass over items of these lengths as lists of indices: random order, similar lengths together.

    No batch holds more than `budget` tokens, padding included, except a single longer item.
    """
    rng = random.Random(seed)
    order = rng.sample(range(len(lengths)), len(lengths))
    mean = max(1, sum(lengths) // max(1, len(lengths)))
    size = BLOCK * max(1, budget // mean)
    batches: list[list[int]] = []
    for first in range(0, len(order), size):
        batch: list[int] = []
        for item in sorted(order[first : first + size], key=lambda index: lengths[index]):
            if batch and (len(batch) + 1) * lengths[item] > budget:
                batches.append(batch)
                batch = []
            batch.append(item)
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def collate(items: Sequence[Encoded], pad: int) -> Batch:
    """These conversations as one batch."""
    import torch

    width = max(len(item.ids) for item in items)
    ids = torch.full((len(items), width), pad, dtype=torch.long)
    rows: list[int] = []
    columns: list[int] = []
    targets: list[int] = []
    for row, item in enumerate(items):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        rows += [row] * (len(item.ids) - item.start)
        columns += range(item.start - 1, len(item.ids) - 1)
        targets += item.ids[item.start :]
    return Batch(ids, torch.tensor(rows), torch.tensor(columns), torch.tensor(targets))
