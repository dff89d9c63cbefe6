"""What a site asks of programs: robots.txt, read as RFC 9309 says, with Protego (Scrapy's parser).

No file (any 4xx) means that all is allowed; a site that cannot be asked (5xx, unreachable) means that nothing is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knowledge.errors import FetchError, FetchRefused
from knowledge.fetching.addresses import Address

if TYPE_CHECKING:
    from protego import Protego

KEPT_SECONDS = 3600.0  # RFC 9309 allows a day
UNKNOWN_SECONDS = 300.0  # before a site that could not be asked is asked again
_ORIGINS = 500  # remembered

Ask = Callable[[Address], tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a site said, None when nothing, and until when that holds."""

    rules: Protego | None
    why_not: str | None
    until: float


class Robots:
    """The robots.txt of the sites met, remembered for an hour. Safe for threads."""

    def __init__(self, agent: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._agent = agent
        self._clock = clock
        self._answers: dict[tuple[str, str, int], _Answer] = {}
        self._lock = threading.Lock()

    def check(self, address: Address, ask: Ask) -> float:
        """Seconds that the site asks to leave between two requests; 0.0 when it does not say.

        ask: fetches a robots.txt; returns its status and body, or raises FetchError.

        Raises FetchRefused when the site does not want programs at that address, FetchError when it cannot be asked.
        """
        with self._lock:
            answer = self._answers.get(address.origin)
        if answer is None or answer.until < self._clock():
            answer = self._asked(address, ask)
            with self._lock:
                if len(self._answers) >= _ORIGINS:
                    self._answers.clear()
                self._answers[address.origin] = answer
        if answer.why_not is not None:
            raise FetchError(f"cannot be asked for its robots.txt: {answer.why_not}")
        if answer.rules is None:
            return 0.0
        if not answer.rules.can_fetch(address.whole, self._agent):
            raise FetchRefused("may not be fetched by programs: the site's robots.txt says so")
        return float(answer.rules.crawl_delay(self._agent) or 0.0)

    def _asked(self, address: Address, ask: Ask) -> _Answer:
        from protego import Protego

        try:
            status, body = ask(address)
        except FetchRefused:
            raise
        except FetchError as error:
            return _Answer(None, str(error), self._clock() + UNKNOWN_SECONDS)
        if status >= 500 or status == 429:
            return _Answer(None, f"it answered with error {status}", self._clock() + UNKNOWN_SECONDS)
        rules = Protego.parse(body.decode("utf-8", "replace")) if status == 200 else None
        return _Answer(rules, None, self._clock() + KEPT_SECONDS)
