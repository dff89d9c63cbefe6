"""The dial, on numbers made for the purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.dial import SAME, Sample, Survey, draw, interleaved, shares
from knowledge.types import Band, Distance
from tests.knowledge.fakes import unit_rows


def survey_of(count: int, seed: int = 0, dimension: int = 24) -> Survey:
    query = unit_rows(1, dimension, 999)[0]
    return Survey.of(query, Sample.of(np.arange(1, count + 1), unit_rows(count, dimension, seed)))


@given(count=st.integers(0, 400), seed=st.integers(0, 20))
def test_bands_follow_each_other_and_agree_with_the_ranks(count: int, seed: int) -> None:
    survey = survey_of(count, seed)
    rows = [survey.rows(band).tolist() for band in (Band.NEAR, Band.MIDDLE, Band.FAR)]
    joined = [row for of_band in rows for row in of_band]
    assert joined == np.argsort(-survey.cosines, kind="stable").tolist()[: len(joined)]
    assert [len(of_band) for of_band in rows] == [survey.span(b)[1] - survey.span(b)[0] for b in Band]
    for band, of_band in zip(Band, rows, strict=True):
        assert all(survey.band(float(survey.cosines[row])) is band for row in of_band)


def test_a_large_survey_is_shared_out_as_measured() -> None:
    survey = survey_of(1000)
    assert [len(survey.rows(band)) for band in (Band.NEAR, Band.MIDDLE, Band.FAR)] == [15, 85, 200]


def test_a_tiny_survey_is_all_near() -> None:
    survey = survey_of(3)
    assert [len(survey.rows(band)) for band in (Band.NEAR, Band.MIDDLE, Band.FAR)] == [3, 0, 0]
    assert survey.band(-1.0) is Band.NEAR


def test_what_is_not_of_the_sample_moves_no_band() -> None:
    query = unit_rows(1, 24, 999)[0]
    vectors = np.vstack([unit_rows(100, 24, 0), np.tile(query, (30, 1))])
    survey = Survey.of(query, Sample.of(np.arange(100), vectors[:100]), np.arange(100, 130), vectors[100:])
    alone = survey_of(100)
    for band in Band:
        assert survey.span(band) == alone.span(band)
        assert survey.rows(band).tolist() == alone.rows(band).tolist()
    assert survey.band(1.0) is Band.NEAR


def test_alikeness_is_nought_for_the_typical_pair_and_one_for_the_same() -> None:
    rng = np.random.default_rng(0)
    vectors = unit_rows(200, 24, 0) + 1.5 * unit_rows(1, 24, 1)  # an embedder to which everything is somewhat alike
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    survey = Survey.of(vectors[0].astype(np.float32), Sample.of(np.arange(200), vectors.astype(np.float32)))
    pairs = np.array([vectors[i] @ vectors[j] for i, j in rng.integers(0, 200, (3000, 2)) if i != j], np.float32)
    assert survey.typical > 0.5
    assert abs(float(survey.alikeness(pairs).mean())) < 0.02
    assert survey.alikeness(np.float32([1.0])) == pytest.approx(1.0)


def test_identical_snippets_break_nothing() -> None:
    same = np.tile(unit_rows(1, 24, 0), (20, 1))
    survey = Survey.of(same[0], Sample.of(np.arange(20), same))
    assert np.isfinite(survey.alikeness(np.float32([0.0, 1.0]))).all()
    assert len(draw(survey, np.arange(20), 5, np.ones(20, np.float32), variety=0.5)) == 1


def test_a_drawing_without_variety_is_of_the_worthiest() -> None:
    survey = survey_of(50)
    worth = np.random.default_rng(0).random(50).astype(np.float32)
    assert draw(survey, np.arange(50), 5, worth, variety=0.0) == np.argsort(-worth)[:5].tolist()


def test_variety_spreads_a_drawing() -> None:
    survey = survey_of(200)
    worth = survey.cosines

    def alikeness_within(variety: float) -> float:
        vectors = survey.vectors[draw(survey, np.arange(200), 8, worth, variety)]
        return float((vectors @ vectors.T - np.eye(8)).max(axis=1).mean())

    assert alikeness_within(0.7) < alikeness_within(0.0) - 0.1


def test_no_two_say_the_same_nor_what_stands_beside() -> None:
    base = unit_rows(6, 24, 0)
    near_twins = base + 0.05 * unit_rows(6, 24, 1)
    vectors = np.vstack([base, near_twins / np.linalg.norm(near_twins, axis=1, keepdims=True)]).astype(np.float32)
    survey = Survey.of(base[0], Sample.of(np.arange(12), vectors))
    assert survey.alikeness(np.float32([vectors[0] @ vectors[6]])) > SAME
    drawn = draw(survey, np.arange(12), 12, np.ones(12, np.float32), variety=0.5, beside=[2])
    assert sorted(row % 6 for row in drawn) == [0, 1, 3, 4, 5]


def test_nothing_to_draw_from() -> None:
    assert draw(survey_of(4), np.empty(0, np.int64), 3, np.empty(0, np.float32), variety=0.5) == []


@pytest.mark.parametrize(
    ("distance", "count", "expected"),
    [
        (Distance.MIXED, 10, (2, 6, 2)),
        (Distance.MIXED, 5, (1, 3, 1)),
        (Distance.MIXED, 20, (4, 12, 4)),
        (Distance.MIXED, 1, (0, 1, 0)),
        (Distance.NEAR, 7, (7,)),
        (Distance.FAR, 7, (7,)),
        (Distance.MIXED, 0, (0, 0, 0)),
    ],
)
def test_shares(distance: Distance, count: int, expected: tuple[int, ...]) -> None:
    assert tuple(shares(distance, count).values()) == expected


@given(distance=st.sampled_from(Distance), count=st.integers(0, 300))
def test_shares_add_up(distance: Distance, count: int) -> None:
    drawn = shares(distance, count)
    assert sum(drawn.values()) == count
    assert all(number >= 0 for number in drawn.values())


@given(st.lists(st.lists(st.integers(), max_size=12), max_size=4))
def test_interleaving_keeps_all_and_each_order(drawn: list[list[int]]) -> None:
    tagged = [[number * 10**6 + position for position in range(len(part))] for number, part in enumerate(drawn)]
    joined = interleaved(tagged)
    assert sorted(joined) == sorted(row for part in tagged for row in part)
    for part in tagged:
        assert [row for row in joined if row in set(part)] == part


def test_the_first_few_are_as_mixed_as_all() -> None:
    joined = interleaved([[1, 1], [2] * 6, [3, 3]])
    assert sorted(joined[:5]) == [1, 2, 2, 2, 3]
