"""Dates of mixed precision as spans of time, and windows of time as people write them. It knows no snippets.

Time is counted in years, as a number: 2024-03 is the span from 2024 + 2/12 to 2024 + 3/12. Every month is a twelfth, so
that windows of years and months meet the borders of dates exactly.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from knowledge.errors import BadInput

Span: TypeAlias = tuple[float, float]

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?:[T ].*)?")
_WINDOW = re.compile(r"(?:(?:the )?(?:last|past) )?(\d{1,4}|an?)?[ -]?(day|week|month|quarter|year|decade|d|w|m|q|y)s?")
_YEARS = {"day": 1 / 365.25, "week": 7 / 365.25, "month": 1 / 12, "quarter": 1 / 4, "year": 1.0, "decade": 10.0}
_UNITS = {unit[0]: unit for unit in ("day", "week", "month", "quarter", "year")} | {unit: unit for unit in _YEARS}
LONGEST = 1000.0  # years
_TINY = 1e-4  # of a month: less is rounding


def span_of(text: str) -> Span | None:
    """When a date of any precision begins and ends, in years; None when it is none.

    >>> span_of("1957")
    (1957.0, 1958.0)
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    if not found[2]:
        return float(year), year + 1.0
    if not 1 <= month <= 12:
        return None
    start = year + (month - 1) / 12
    if not found[3]:
        return start, year + month / 12
    days = monthrange(year, month)[1] if year else 31
    if not 1 <= day <= days:
        return None
    return start + (day - 1) / days / 12, start + day / days / 12


def end_of(day: date) -> float:
    """When a day ends, in years."""
    start = day.year + (day.month - 1) / 12
    return start + day.day / monthrange(day.year, day.month)[1] / 12


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time, in years, and how people call it ("90 days")."""

    years: float
    name: str


def read_window(text: str) -> Window:
    """A window as people write it: "90 days", "6 months", "2y", "last year". Raises `BadInput`.

    >>> read_window("2 Years")
    Window(years=2.0, name='2 years')
    """
    found = _WINDOW.fullmatch(" ".join(text.lower().split()))
    number = 0 if found is None else 1 if found[1] in (None, "a", "an") else int(found[1])
    if found is None or number < 1:
        raise BadInput(f"{text.strip()[:40]!r} is no window of time; write it like 30 days, 6 months or 2 years")
    unit = _UNITS[found[2]]
    years = number * _YEARS[unit]
    if years > LONGEST:
        raise BadInput(f"a window of {number} {unit}s is too long; at most {LONGEST:.0f} years")
    return Window(years, f"{number} {unit}{'' if number == 1 else 's'}")


def said(time: float, *, ends: bool = False, days: bool = False) -> str:
    """A point in time as a date, no more precise than it needs to be: "2021", "2024-03", "2024-03-09".

    It is the first year, month or day from that point on; with `ends`, the last one before it; with `days`, always a
    day.
    """
    months = math.floor(time * 12 + _TINY)
    length = monthrange(max(1, months // 12), months % 12 + 1)[1]
    passed = max(0.0, time * 12 - months) * length
    day = round(passed) if abs(passed - round(passed)) < _TINY * length else math.floor(passed) + ends
    if day == 0 and days and ends:
        year, month = divmod(months - 1, 12)
        return f"{year:04d}-{month + 1:02d}-{monthrange(max(1, year), month + 1)[1]:02d}"
    if day == 0 and not days:
        year, month = divmod(months - ends, 12)
        return f"{year:04d}" if month == (11 if ends else 0) else f"{year:04d}-{month + 1:02d}"
    return f"{months // 12:04d}-{months % 12 + 1:02d}-{day + (not ends):02d}"
