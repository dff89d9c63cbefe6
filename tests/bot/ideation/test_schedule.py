"""Digests are due once a day or a week of a place's own calendar, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ideation.schedule import Every, Schedule, read_zone, zones
from knowledge.errors import BadInput

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Kathmandu"]


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]


@settings(max_examples=40, deadline=None)
@given(
    st.builds(Schedule, st.sampled_from(Every), st.integers(0, 23), st.integers(0, 6), st.sampled_from(ZONES)),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)),
)
def test_each_day_or_week_has_one_and_only_one(schedule: Schedule, start: datetime) -> None:
    due = schedule.latest(start.replace(tzinfo=UTC))
    days = []
    for _ in range(60):
        later = schedule.following(due)
        assert due < later and schedule.latest(later) == later
        assert schedule.latest(later - timedelta(seconds=1)) == due == schedule.latest(due)
        due = later
        days.append(date.fromisoformat(schedule.day(due)))
    step = timedelta(days=1 if schedule.every is Every.DAILY else 7)
    assert all(second - first == step for first, second in pairwise(days))
    assert schedule.every is Every.DAILY or {day.weekday() for day in days} == {schedule.weekday}


def test_an_hour_that_is_left_out_or_comes_twice() -> None:
    berlin = Schedule(Every.DAILY, 2, 0, "Europe/Berlin")
    assert berlin.latest(at(2026, 3, 29, 12)) == at(2026, 3, 29, 1), "3:00 summer time, for there is no 2:00"
    assert berlin.latest(at(2026, 10, 25, 0, 30)) == at(2026, 10, 25, 0), "the first of two"
    assert berlin.latest(at(2026, 10, 25, 1, 30)) == at(2026, 10, 25, 0), "and not the second"


def test_zones_are_read_and_offered() -> None:
    assert read_zone(" europe/berlin ") == "Europe/Berlin"
    assert zones("berl")[0] == "Europe/Berlin" and zones("new york")[0] == "America/New_York"
    with pytest.raises(BadInput, match="Europe/Berlin"):
        read_zone("Berlin time")
