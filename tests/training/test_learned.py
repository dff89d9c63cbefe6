"""What the adapter learned by heart is known again, and nothing else is."""

from __future__ import annotations

import numpy as np

from bench.ideas import library_texts
from bot.ideation.recited import recites
from training.learned import FILE, bodies, learned_runs


def test_the_file_is_of_all_that_was_learned_from() -> None:
    assert np.array_equal(np.load(FILE), learned_runs()), "run python -m training.learned"
    assert len(bodies()) > 10_000


def test_eight_words_in_a_row_are_known_again_in_any_dress() -> None:
    learned = next(body for body in bodies() if len(body.split()) > 14)
    assert recites(learned) and recites(f"So it goes: {learned.upper()}")
    assert not recites(" ".join(learned.split()[:7]))


def test_other_texts_are_not_taken_for_it() -> None:
    texts = library_texts()
    assert sum(map(recites, texts)) <= len(texts) // 200
    assert not recites("") and not recites("Two words.")
