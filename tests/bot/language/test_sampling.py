"""Drawing tokens: the right distribution, the right filters, and nothing from the neighbours."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from bot.language.base import Sampling
from bot.language.sampling import draw

LOGITS = torch.tensor([2.0, 1.5, 1.0, 0.0, -1.0, -3.0])
MANY = 4000


def frequencies(**sampling) -> list[float]:
    samplings = [Sampling(**{"top_k": 0, "top_p": 1.0, "temperature": 1.0, **sampling, "seed": s}) for s in range(MANY)]
    drawn = draw(LOGITS.repeat(MANY, 1), samplings, [3] * MANY)
    counts = Counter(one.token for one in drawn)
    return [counts[token] / MANY for token in range(len(LOGITS))]


def close(found, expected):
    return all(abs(f - e) <= 4 * math.sqrt(e * (1 - e) / MANY) + 1e-9 for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_tempered_distribution_says(temperature):
    expected = torch.softmax(LOGITS / temperature, -1).tolist()
    assert close(frequencies(temperature=temperature), expected)


def test_top_k_leaves_the_likeliest_and_renormalises():
    expected = [*torch.softmax(LOGITS[:3], -1).tolist(), 0, 0, 0]
    assert close(frequencies(top_k=3), expected)


def test_top_p_keeps_the_token_that_crosses_the_threshold():
    p = torch.softmax(LOGITS, -1)
    threshold = float(p[0] + p[1] / 2)
    assert close(frequencies(top_p=threshold), [*torch.softmax(LOGITS[:2], -1).tolist(), 0, 0, 0, 0])
    assert frequencies(top_p=0.0)[0] == 1.0


def test_top_k_comes_before_top_p():
    """Of the two likeliest, the first has 62 % of what top_k left, though only 48 % of all."""
    assert frequencies(top_k=2, top_p=0.6)[0] == 1.0


def test_temperature_zero_takes_the_likeliest():
    assert frequencies(temperature=0.0)[0] == 1.0


def test_a_row_depends_on_itself_alone():
    torch.manual_seed(0)
    logits = torch.randn(12, 500)
    samplings = [
        Sampling(seed=i % 5, temperature=(0.0, 0.7, 1.3)[i % 3], top_k=(0, 5, 50)[i % 3], top_p=0.9) for i in range(12)
    ]
    steps = list(range(12))
    together = draw(logits, samplings, steps)
    for i in reversed(range(12)):
        assert draw(logits[i : i + 1], samplings[i : i + 1], steps[i : i + 1]) == [together[i]]


def test_seed_and_step_both_change_the_draw():
    flat = torch.zeros(1, 1000)
    sampling = Sampling(top_k=0, top_p=1.0)
    by_step = {draw(flat, [sampling], [step])[0].token for step in range(40)}
    by_seed = {draw(flat, [Sampling(top_k=0, top_p=1.0, seed=s)], [0])[0].token for s in (-1, 0, 1, 2**63)}
    assert len(by_step) > 30
    assert len(by_seed) == 4


def test_the_log_probability_is_that_of_the_unfiltered_distribution():
    (drawn,) = draw(LOGITS[None], [Sampling(temperature=0.3, top_k=1)], [0])
    assert drawn.log_probability == pytest.approx(float(torch.log_softmax(LOGITS, -1)[0]))
