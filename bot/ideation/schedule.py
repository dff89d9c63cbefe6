"""When a digest is due: once a day or a week at an hour of a place's own time, whatever its clocks do.

Each time is computed from its date, so it comes once: an hour that a spring night leaves out is the moment after the
gap, one that an autumn night has twice is its first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, available_timezones

from knowledge.errors import BadInput

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Every(StrEnum):
    """How often."""

    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Schedule:
    """An hour (0 to 23) of every day, or of one weekday (0 is Monday), in a time zone by its IANA name."""

    every: Every
    hour: int
    weekday: int
    zone: str

    @property
    def grace(self) -> timedelta:
        """How late it may still come: after that it is left out, and the next one comes in its time."""
        return timedelta(hours=12) if self.every is Every.DAILY else timedelta(days=2)

    def latest(self, now: datetime) -> datetime:
        """The last time that was due at `now` or before, in UTC."""
        return self._near(now, range(2, -9, -1), lambda due: due <= now)

    def following(self, now: datetime) -> datetime:
        """The first time that is due after `now`, in UTC."""
        return self._near(now, range(-2, 10), lambda due: due > now)

    def day(self, due: datetime) -> str:
        """The date of a time in its own zone, ISO 8601."""
        return due.astimezone(ZoneInfo(self.zone)).date().isoformat()

    def _near(self, now: datetime, days: range, fits: Callable[[datetime], bool]) -> datetime:
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for offset in days:
            date = today + timedelta(days=offset)
            if self.every is Every.DAILY or date.weekday() == self.weekday:
                due = datetime.combine(date, time(self.hour), zone).astimezone(UTC)
                if fits(due):
                    return due
        raise AssertionError("every week has every weekday")

    def __str__(self) -> str:
        """As people say it: every Monday at 9:00 (Europe/Berlin)."""
        when = "every day" if self.every is Every.DAILY else f"every {WEEKDAYS[self.weekday]}"
        return f"{when} at {self.hour}:00 ({self.zone})"


def read_zone(name: str) -> str:
    """The time zone that somebody named, whatever its case. Raises `BadInput` when there is none by that name."""
    for zone in zones(name):
        if zone.casefold() == name.strip().casefold():
            return zone
    raise BadInput("I know no such time zone: pick one from the list that opens as you type, like Europe/Berlin.")


def zones(containing: str) -> list[str]:
    """The time zones whose names contain a text, those that begin with it or with a city called so first."""
    typed = containing.strip().casefold().replace(" ", "_")
    found = [zone for zone in available_timezones() if typed in zone.casefold() and not zone.startswith("posix")]
    begins = {zone for zone in found if f"/{typed}" in f"/{zone.casefold()}"}
    return sorted(found, key=lambda zone: (zone not in begins, zone.count("/") != 1 and zone != "UTC", zone))
