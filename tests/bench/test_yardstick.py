"""The yardstick's figures, by hand-made vectors."""

from __future__ import annotations

import numpy as np
import pytest

from bench import yardstick as measures
from bench.yardstick import Scored
from bot.ideation.gates import Gate


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def one(vector: np.ndarray, *faults: Gate) -> Scored:
    return Scored(dict.fromkeys(faults, "fault"), 1.0, 1.0, 1.0, 3.0, vector)


EAST, NORTH, NEARLY_EAST = unit(1, 0), unit(0, 1), unit(1, 0.1)


def test_classes_join_the_first_match_in_shown_order() -> None:
    assert measures.classes([EAST, NORTH, NEARLY_EAST, NORTH]) == [0, 1, 0, 1]
    assert measures.classes([]) == []


def test_invalid_ideas_neither_count_nor_open_a_class() -> None:
    scored = [one(EAST, Gate.FORMAT), one(NEARLY_EAST), one(NORTH, Gate.GROUNDING)]
    assert measures.distinct(scored) == 1
    assert measures.distinct(scored, grounded=False) == 2


def test_utility_is_ten_at_its_best_and_counts_early_places_more() -> None:
    apart = [one(unit(*row)) for row in np.eye(10)]
    assert measures.utility(apart) == pytest.approx(10)
    early, late = [apart[0], one(EAST[:1], Gate.FORMAT)], [one(EAST[:1], Gate.FORMAT), apart[0]]
    assert measures.utility(early) > measures.utility(late) > 0


def test_distance_and_vendi() -> None:
    assert measures.effective_distance([one(EAST), one(NORTH)], places=2) == pytest.approx(1)
    assert measures.effective_distance([one(EAST), one(NORTH, Gate.FORMAT)], places=2) == 0
    assert measures.vendi([EAST, NORTH]) == pytest.approx(2, abs=1e-4)
    assert measures.vendi([EAST, EAST]) == pytest.approx(1, abs=1e-4)


def test_recurrence_counts_matches_between_briefs_only() -> None:
    assert measures.recurrence([[EAST, EAST], [NORTH]]) == 0
    assert measures.recurrence([[EAST, NORTH], [EAST]]) == pytest.approx(2 / 3)


def test_lexical_measures_see_repetition() -> None:
    same = ["The lamp hangs over the door of the house."] * 4
    different = ["A lamp hangs there.", "Nine goats vote today.", "Salt dries on rope.", "The clerk eats paper stamps."]
    assert measures.self_bleu(same) > 0.9
    assert measures.self_bleu(different) < 0.4
    assert measures.compression_ratio(same) > measures.compression_ratio(different)
    assert measures.distinct_openings(same) == 0.25
    assert measures.distinct_openings(different) == 1


def test_the_interval_holds_the_mean_and_narrows_to_a_constant() -> None:
    low, high = measures.interval([1.0, 2.0, 3.0, 4.0])
    assert low < 2.5 < high
    assert measures.interval([2.0, 2.0]) == (2.0, 2.0)
