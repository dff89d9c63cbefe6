"""Preferring: the clearer answer is the better one, a pair is read apart, and one gains on the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.test_loop import RECIPE, tiny
from training import adapter
from training.batches import Encoded, collate
from training.examples import BadExample
from training.loop import answer_loss
from training.pairs import Pair, collate_pairs
from training.prefer import Preference, log_likelihoods, prefer
from training.rated import read_rated, told_apart

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

ROOT = Path(__file__).parents[2]
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


QUESTION = {"brief": "map of a hospital", "spark": "Moths fold their wings.", "technique": "analogy"}
CLEAR = "The map of the hospital folds like the wings of moths so that two far doors meet."
SPARKLESS = "The map of the hospital shows each visitor the shortest way to the bed of a friend."
SHORT = "The map folds like wings."


def answers(*rated: tuple[str, float]) -> str:
    return json.dumps({**QUESTION, "answers": [{"title": "T", "idea": idea, "sense": sense} for idea, sense in rated]})


def test_the_clearer_answer_is_the_better_unless_it_leaves_the_spark_out(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    path.write_text("\n".join([answers((SPARKLESS, 3), (CLEAR, 3), (SHORT, 3)), answers((CLEAR, 1), (SPARKLESS, 3.5))]))
    first, second = read_rated([path])
    pairs = [[one.answer.splitlines()[1].removeprefix("Idea: ") for one in pair] for pair in told_apart([first])]
    assert pairs == [[CLEAR, SPARKLESS], [CLEAR, SHORT]]
    assert [better.answer for better, _ in told_apart([second])] == [second[1].example.answer]
    assert told_apart([first], apart=2) == [] and len(told_apart([first], most=1)) == 1


def test_a_bad_line_of_ratings_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    path.write_text(answers((CLEAR, 3)) + '\n{"brief": "map"}\n')
    with pytest.raises(BadExample, match=r"rated.jsonl, line 2,"):
        read_rated([path])


def test_the_ratings_that_come_with_kindling_make_pairs() -> None:
    pairs = told_apart(read_rated(sorted((ROOT / "training/rated").glob("*.jsonl"))))
    assert len(pairs) > 1000 and all(better.messages == worse.messages for better, worse in pairs)
