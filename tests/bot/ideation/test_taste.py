"""Taste: that it finds what is liked, shifts little on little evidence, and says so in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ideation.taste import LEAN, fit, telling_words


def unit(rng: np.random.Generator, count: int, width: int = 16) -> np.ndarray:
    rows = rng.normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_liking_is_found_from_a_few_dozen_noisy_choices() -> None:
    rng = np.random.default_rng(0)
    liked = unit(rng, 1)[0]
    first, second = unit(rng, 80), unit(rng, 80)
    chance = 1 / (1 + np.exp(-12 * (first - second) @ liked))
    wins = rng.random(80) < chance
    taste = fit(np.where(wins[:, None], first, second), np.where(wins[:, None], second, first), [1.0] * 80)
    fresh, other = unit(rng, 500), unit(rng, 500)
    agrees = (taste.strength(fresh) > taste.strength(other)) == ((fresh - other) @ liked > 0)
    assert agrees.mean() > 0.75


def test_one_choice_shifts_less_than_twenty() -> None:
    rng = np.random.default_rng(1)
    better, worse = unit(rng, 1), unit(rng, 1)
    once = fit(better, worse, [1.0]).value(0.5, better[0])
    often = fit(np.repeat(better, 20, 0), np.repeat(worse, 20, 0), [1.0] * 20).value(0.5, better[0])
    assert 0.5 < once < often < 0.5 * (1 + LEAN)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 30), st.floats(0, 1))
def test_a_value_stays_a_value_and_leans_by_a_share_at_most(seed: int, count: int, quality: float) -> None:
    rng = np.random.default_rng(seed)
    taste = fit(unit(rng, count), unit(rng, count), rng.random(count).tolist())
    for vector in unit(rng, 5):
        assert (1 - LEAN) * quality - 1e-6 <= taste.value(quality, vector) <= min(1.0, (1 + LEAN) * quality + 1e-6)


def test_choices_that_contradict_each_other_say_nothing() -> None:
    rng = np.random.default_rng(2)
    first, second = unit(rng, 1), unit(rng, 1)
    taste = fit(np.concatenate([first, second]), np.concatenate([second, first]), [1.0, 1.0])
    assert taste.value(0.5, first[0]) == pytest.approx(0.5, abs=1e-6)


def test_words_tell_what_is_liked() -> None:
    rng = np.random.default_rng(3)
    paper, screen = unit(rng, 2)
    texts = [f"Fold paper sheet {number} by hand." for number in range(6)]
    texts += [f"A screen blinks at guest {number}." for number in range(6)]
    vectors = np.concatenate([paper + 0.05 * unit(rng, 6), screen + 0.05 * unit(rng, 6)])
    towards, away = telling_words(fit(vectors[:6], vectors[6:], [1.0] * 6), texts, vectors)
    assert set(towards) == {"fold", "paper", "sheet", "hand"} and set(away) == {"screen", "blink", "guest"}
