"""A question and rated answers to it as one row, which reads the question once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from training.batches import encode
from training.examples import Example
from training.rated import Ranked

STEP = "\nFirst step:"
"""What an idea's last line begins with."""

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Asked:
    """Token ids of a question and of the answers to it; `pairs` are places of a better answer and a worse."""

    question: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    pairs: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.question) + sum(map(len, self.answers))


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """Rows of a question and its answers, right-padded, where no answer sees another.

    `ids` and `positions` are int64 (questions, tokens); `mask` is float32 (questions, 1, tokens, tokens), added to
    attention's scores. `rows`, `columns` and `targets`, int64 (answer tokens,), are as in batches.py; `owners`, int64,
    say which answer of the batch a token is of, and `lengths`, int64 (answers,), how many tokens that has. `better` and
    `worse`, int64 (pairs,), are answers of the batch.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    targets: torch.Tensor
    owners: torch.Tensor
    lengths: torch.Tensor
    better: torch.Tensor
    worse: torch.Tensor


def asked(ranked: Ranked, tokenizer: Any) -> Asked:
    """Answers without their first step: what was read and rated is title and idea."""
    encoded = [encode(_cut(answer), tokenizer) for answer in ranked.answers]
    questions = {one.ids[: one.start] for one in encoded}
    if len(questions) != 1:
        raise ValueError("answers that are compared must be to one question")
    return Asked(questions.pop(), tuple(one.ids[one.start : -1] for one in encoded), ranked.pairs)


def _cut(example: Example) -> Example:
    answer = example.answer.partition(STEP)
    return replace(example, answer=answer[0] + answer[1])


def collate(questions: Sequence[Asked], pad: int) -> AnswerBatch:
    """These questions as one batch."""
    import torch

    width = max(map(len, questions))
    ids = torch.full((len(questions), width), pad, dtype=torch.long)
    positions = torch.zeros(len(questions), width, dtype=torch.long)
    hidden = torch.ones(width, width, dtype=torch.bool).triu(1).repeat(len(questions), 1, 1)
    rows: list[int] = []
    columns: list[int] = []
    targets: list[int] = []
    lengths: list[int] = []
    better: list[int] = []
    worse: list[int] = []
    for row, one in enumerate(questions):
        better += [len(lengths) + place for place, _ in one.pairs]
        worse += [len(lengths) + place for _, place in one.pairs]
        shared = first = len(one.question)
        ids[row, :shared] = torch.tensor(one.question)
        positions[row, :shared] = torch.arange(shared)
        for answer in one.answers:
            end = first + len(answer)
            ids[row, first:end] = torch.tensor(answer)
            positions[row, first:end] = torch.arange(shared, shared + len(answer))
            hidden[row, first:end, shared:first] = True
            rows += [row] * len(answer)
            columns += [shared - 1, *range(first, end - 1)]
            targets += answer
            lengths.append(len(answer))
            first = end
    mask = torch.zeros(hidden.shape).masked_fill_(hidden, torch.finfo(torch.bfloat16).min)[:, None]
    counted = torch.tensor(lengths)
    owners = torch.arange(len(lengths)).repeat_interleave(counted)
    places = (torch.tensor(rows), torch.tensor(columns), torch.tensor(targets), owners, counted)
    return AnswerBatch(ids, positions, mask, *places, torch.tensor(better), torch.tensor(worse))
