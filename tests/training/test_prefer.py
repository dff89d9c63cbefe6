"""Preferring: that a pair's answers are seen apart, and that people's answers gain on the model's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.test_loop import RECIPE, tiny
from training import adapter
from training.batches import Encoded, collate
from training.loop import answer_loss
from training.pairs import Pair, collate_pairs
from training.prefer import Preference, log_likelihoods, prefer

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

TOKENS = st.lists(st.integers(1, 39), min_size=1, max_size=8).map(tuple)
PAIRS = st.builds(Pair, TOKENS, TOKENS, TOKENS)


@given(st.lists(PAIRS, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_answers_of_a_pair_are_as_likely_as_each_by_itself(pairs: list[Pair]) -> None:
    model = tiny().eval()
    with torch.no_grad():
        together = log_likelihoods(model, collate_pairs(pairs, pad=0)).tolist()
        alone = [
            -float(answer_loss(model, collate([Encoded((*pair.question, *answer), len(pair.question))], pad=0)))
            for pair in pairs
            for answer in (pair.better, pair.worse)
        ]
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-4)


def test_better_answers_gain_on_worse_ones() -> None:
    pairs = [Pair((1, 2, 3 + n % 5), (10 + n % 5, 20, 21), (30, 10 + n % 5, 21)) for n in range(40)]
    held = [Pair((1, 2, 3 + n), (10 + n, 20, 21), (30, 10 + n, 21)) for n in range(5)]
    model = tiny()
    how = Preference(replace(RECIPE, budget=54, checks=2), beta=0.1, anchor=0.2)
    best, found = prefer(model, pairs, held, how)
    assert found[0].ordered == 0 and found[0].loss == pytest.approx(0.693 + 0.2 * found[0].nats, abs=1e-3)
    assert found[-1].ordered == 1 and found[-1].loss < found[0].loss and found[-1].nats < found[0].nats
    adapter.restore(model, best)
    with torch.no_grad():
        better, worse = log_likelihoods(model, collate_pairs(held[:1], pad=0)).tolist()
    assert better > worse
