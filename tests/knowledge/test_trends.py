"""Trends: what was planted is found, noise is not, and nothing comes from where it must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.dates import read_window, said, span_of
from knowledge.errors import BadInput
from knowledge.scan import ALARM, Dated, changes
from knowledge.store import Store
from knowledge.trends import Outlook, Topic, outlook
from knowledge.types import Filters, Kind
from tests.knowledge.timelines import EMBEDDER, TODAY, WINDOW, Planted, hits, planted, put

PLANTS = {1: Planted(0.5, 4), 2: Planted(0, 4), 3: Planted(3, 0)}


def look(store: Store, *spaces: str, **rest: object) -> Outlook:
    return outlook(store, EMBEDDER, spaces, window=read_window(WINDOW), today=TODAY, **rest)  # type: ignore[arg-type]


def test_what_was_planted_is_found_and_nothing_else(tmp_path: Path) -> None:
    right = told = found = 0
    seeds = range(3)
    for seed in seeds:
        with Store(tmp_path / f"{seed}.db") as store:
            drafts, vectors, topics = planted(seed, PLANTS, count=1200)
            ids = put(store, "guild:1", drafts, vectors)
            seen = look(store, "guild:1")
        true, count, met = hits(seen, dict(zip(ids, topics, strict=True)), PLANTS)
        right, told, found = right + true, told + count, found + len(met)
    assert right / told >= 0.9
    assert found / (len(seeds) * len(PLANTS)) >= 0.9


def test_in_noise_there_is_nothing() -> None:
    """The dates of noise are dealt anew a few hundred times, over groups like those that themes make."""
    things, alarms, seeds = 160, 0, range(200)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        points = rng.standard_normal((things, 12))
        rows = np.argsort(-(points @ points.T), axis=1, kind="stable")[:, :28]
        lately = (rng.random(things) < 0.2).astype(float)
        alarms += bool(changes(Dated(np.arange(things), lately, 1 - lately), rows, np.array([5, 10, 20, 28])))
    # The seeds are fixed, so this comes out the same each time.
    assert ALARM <= 0.05 and alarms <= 0.05 * len(seeds)


def test_noise_in_whole_libraries_gives_next_to_no_trend(store: Store) -> None:
    alarms = 0
    for seed in range(10):
        drafts, vectors, _ = planted(200 + seed, {}, count=200)
        put(store, f"guild:{seed}", drafts, vectors)
        seen = look(store, f"guild:{seed}")
        alarms += bool(seen.trends)
        assert seen.enough
    assert alarms <= 1  # at 5 % one of ten is as likely as none; the same each time


def test_a_small_count_or_a_long_document_fakes_nothing(store: Store) -> None:
    drafts, vectors, topics = planted(7, {}, count=400)
    put(store, "guild:1", drafts, vectors)
    rng = np.random.default_rng(0)
    direction = vectors[topics.index(2)]
    close = direction + 0.02 * rng.standard_normal((40, len(direction)))
    close = (close / np.linalg.norm(close, axis=1, keepdims=True)).astype(np.float32)
    report = [
        replace(
            drafts[0], title="Annual report", text=f"passage {one} balance sheet", date="2026-06-20", address="r.pdf"
        )
        for one in range(40)
    ]
    put(store, "guild:1", report, close, "report")
    assert not look(store, "guild:1").trends


def test_the_same_library_gives_the_same_outlook(store: Store) -> None:
    drafts, vectors, _ = planted(3, PLANTS, count=600)
    put(store, "guild:1", drafts, vectors)
    assert look(store, "guild:1") == look(store, "guild:1")


def test_another_space_and_what_filters_leave_out_are_never_looked_at(store: Store) -> None:
    drafts, vectors, _ = planted(5, PLANTS, count=1200)
    hidden = set(put(store, "guild:2", drafts, vectors))
    quiet, still, _ = planted(6, {}, count=300)
    own = set(put(store, "guild:1", quiet, still))
    loud = [replace(draft, kind=Kind.EVENT, text=f"{draft.text} loud") for draft in drafts]
    left_out = set(put(store, "guild:1", loud, vectors, "loud"))

    everything = look(store, "guild:1")
    assert everything.trends and all(not hidden & trend.members for trend in everything.trends)
    assert any(left_out & trend.members for trend in everything.trends)
    filtered = look(store, "guild:1", filters=Filters(kinds=frozenset({Kind.NOTE})))
    assert filtered.dated == len(own) and not filtered.trends

    assert store.remove(left_out) and not look(store, "guild:1").trends
    assert not look(store, "guild:3").dated


def test_a_topic_narrows_what_is_looked_at(store: Store) -> None:
    drafts, vectors, topics = planted(2, PLANTS, count=1200)
    ids = put(store, "guild:1", drafts, vectors)
    topic_of = dict(zip(ids, topics, strict=True))
    middle = vectors[np.array(topics) == 1].mean(axis=0)
    seen = look(store, "guild:1", topic=Topic("something", middle / np.linalg.norm(middle)))
    assert seen.dated < 400 and len(seen.trends) == 1  # what else rises is not about it
    assert [topic_of[one] for one in seen.trends[0].members].count(1) > len(seen.trends[0].members) / 2


def test_with_too_few_dates_it_says_so(store: Store) -> None:
    drafts, vectors, _ = planted(2, PLANTS, count=12)
    put(store, "guild:1", drafts, vectors)
    assert not look(store, "guild:1").enough and not look(store, "guild:1").trends
    undated = [replace(draft, date=None) for draft in drafts]
    put(store, "guild:2", undated, vectors)
    assert look(store, "guild:2").dated == 0


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1957", (1957, 1958)),
        ("2024-03", (2024 + 2 / 12, 2024 + 3 / 12)),
        ("2024-02-29", (2024 + 1 / 12 + 28 / 29 / 12, 2024 + 2 / 12)),
        ("2024-03-09T10:00:00Z", (2024 + 2 / 12 + 8 / 31 / 12, 2024 + 2 / 12 + 9 / 31 / 12)),
    ],
)
def test_a_date_covers_the_span_that_it_names(text: str, span: tuple[float, float]) -> None:
    assert span_of(text) == pytest.approx(span)


@given(st.text(max_size=12) | st.from_regex(r"\d{4}-\d{2}(-\d{2})?", fullmatch=True))
def test_any_text_is_a_date_or_none(text: str) -> None:
    span = span_of(text)
    assert span is None or 0 <= span[0] < span[1] <= 10000


@given(st.dates())
def test_a_date_is_said_as_it_is_read(day: date) -> None:
    for text in (day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]):
        span = span_of(text)
        assert span is not None
        start, end = said(span[0]), said(span[1], ends=True)
        assert text.startswith(start) or start.startswith(text)
        assert text.startswith(end) or end.startswith(text)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2 years", 2),
        ("a year", 1),
        ("last 90 days", 90 / 365.25),
        ("6m", 0.5),
        ("the past decade", 10),
        ("1 Week", 7 / 365.25),
    ],
)
def test_windows_are_read_as_people_write_them(text: str, years: float) -> None:
    assert read_window(text).years == pytest.approx(years)


@pytest.mark.parametrize("text", ["", "soon", "0 days", "9999 years", "-3 months", "3 3 days", "1.5 years"])
def test_other_windows_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="years"):
        read_window(text)
