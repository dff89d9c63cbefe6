"""Pairs of answers to one question, the better and the worse, as batches that read the question once for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from training.batches import encode
from training.examples import Example

STEP = "\nFirst step:"
"""What an idea's last line begins with."""

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of a question and of two answers to it."""

    question: tuple[int, ...]
    better: tuple[int, ...]
    worse: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.question) + len(self.better) + len(self.worse)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Rows of question, better and worse answer, right-padded, where the worse answer does not see the better one.

    `ids` and `positions` are int64 (pairs, tokens); `mask` is float32 (pairs, 1, tokens, tokens), added to attention's
    scores. `rows`, `columns` and `targets`, int64 (answer tokens,), are as in batches.py; `answers`, int64, say whose a
    token is: 2 i for the better answer of pair i, 2 i + 1 for the worse.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    targets: torch.Tensor
    answers: torch.Tensor


def pair(better: Example, worse: Example, tokenizer: Any) -> Pair:
    """Two answers to one question, each without its first step: what was read and rated is title and idea."""
    first, second = encode(_cut(better), tokenizer), encode(_cut(worse), tokenizer)
    question = first.ids[: first.start]
    if second.ids[: second.start] != question:
        raise ValueError("the answers of a pair must be to one question")
    return Pair(question, first.ids[first.start : -1], second.ids[second.start : -1])


def _cut(example: Example) -> Example:
    answer = example.answer.partition(STEP)
    return replace(example, answer=answer[0] + answer[1])


def collate_pairs(pairs: Sequence[Pair], pad: int) -> PairBatch:
    """These pairs as one batch."""
    import torch

    width = max(map(len, pairs))
    ids = torch.full((len(pairs), width), pad, dtype=torch.long)
    positions = torch.zeros(len(pairs), width, dtype=torch.long)
    hidden = torch.ones(width, width, dtype=torch.bool).triu(1).repeat(len(pairs), 1, 1)
    rows: list[int] = []
    columns: list[int] = []
    targets: list[int] = []
    answers: list[int] = []
    for row, one in enumerate(pairs):
        asked, middle, end = len(one.question), len(one.question) + len(one.better), len(one)
        ids[row, :end] = torch.tensor((*one.question, *one.better, *one.worse))
        positions[row, :middle] = torch.arange(middle)
        positions[row, middle:end] = torch.arange(asked, asked + len(one.worse))
        hidden[row, middle:end, asked:middle] = True
        for number, (answer, first) in enumerate(((one.better, asked), (one.worse, middle))):
            rows += [row] * len(answer)
            columns += [asked - 1, *range(first, first + len(answer) - 1)]
            targets += answer
            answers += [2 * row + number] * len(answer)
    mask = torch.zeros(hidden.shape).masked_fill_(hidden, torch.finfo(torch.float32).min)[:, None]
    places = (torch.tensor(rows), torch.tensor(columns), torch.tensor(targets), torch.tensor(answers))
    return PairBatch(ids, positions, mask, *places)
