"""Trouble that a test orders: the next matching request fails, waits, or loses its connection."""

from __future__ import annotations

import re
from dataclasses import dataclass


def path_pattern(path: str) -> re.Pattern[str]:
    """A pattern for paths in which ``...`` stands for any text."""
    return re.compile(".+".join(re.escape(part) for part in path.split("...")))


@dataclass
class Fault:
    """What shall happen to the next ``times`` requests that match.

    ``status`` is the answer (``None``: the connection breaks without one; 0: the request goes through after ``delay``).
    With ``applied`` the server does what was asked and only then answers so, as when an answer is lost on its way.
    """

    method: str
    pattern: re.Pattern[str]
    status: int | None
    times: int
    delay: float = 0.0
    applied: bool = False
    retry_after: float = 0.5
    met: int = 0


class Faults:
    """The faults still to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    def add(self, method: str, path: str, **what: object) -> Fault:
        """Order a fault; in ``path`` ``...`` stands for any text and an id may stand as it is."""
        fault = Fault(method, path_pattern(path), **what)  # type: ignore[arg-type]
        self._coming.append(fault)
        return fault

    def next(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, if any; it is then used up by one."""
        for fault in self._coming:
            if fault.method in (method, "*") and fault.pattern.fullmatch(path):
                fault.met += 1
                if fault.met >= fault.times:
                    self._coming.remove(fault)
                return fault
        return None
