"""Made-up timelines in which it is known what rises: topics as directions with words of their own, dated over years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np

from knowledge.store import Store
from knowledge.trends import Direction, Outlook
from knowledge.types import Collection, Draft

EMBEDDER = "planted"
TODAY = date(2026, 6, 30)
DIMENSION = 64
WINDOW = "90 days"
DAYS = 900  # ten windows
SYLLABLES = "ba ko li mu re sa to vi da fe gu hi jo ka le mi no pu ra se ti vo za be".split()


@dataclass(frozen=True)
class Planted:
    """How often a topic comes before the window, and in it, against an ordinary topic's 1."""

    before: float
    lately: float

    @property
    def direction(self) -> Direction:
        if self.before == 0:
            return Direction.NEW
        return Direction.RISING if self.lately > self.before else Direction.FADING


@cache
def word(topic: int, number: int) -> str:
    """A word that only this topic uses."""
    rng = np.random.default_rng((topic, number))
    return "".join(rng.choice(SYLLABLES, 4))


def planted(
    seed: int, plants: Mapping[int, Planted], count: int = 500, topics: int = 16
) -> tuple[list[Draft], np.ndarray, list[int]]:
    """Drafts, their vectors (count, DIMENSION) and their topics: `plants` by topic, all other topics as ever.

    Dates are of mixed precision: most of a day, some of a month.
    """
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((topics, DIMENSION))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    drafts, vectors, chosen = [], [], []
    rates = np.ones((2, topics))
    for topic, plant in plants.items():
        rates[:, topic] = plant.before, plant.lately
    for number in range(count):
        age = int(rng.integers(0, DAYS))
        weights = rates[1 if age < 90 else 0]
        topic = int(rng.choice(topics, p=weights / weights.sum()))
        own = [word(topic, int(one)) for one in rng.integers(0, 8, 4)]
        said = [*own, *(word(1000, int(one)) for one in rng.integers(0, 300, 6))]
        day = (TODAY - timedelta(days=age)).isoformat()
        text = " ".join(rng.permutation(said))
        drafts.append(Draft(f"{own[0]} {number}", text, date=day[:7] if rng.random() < 0.15 else day))
        noise = rng.standard_normal(DIMENSION) / np.sqrt(DIMENSION)
        vectors.append(directions[topic] + 1.1 * noise)
        chosen.append(topic)
    array = np.array(vectors, np.float32)
    return drafts, array / np.linalg.norm(array, axis=1, keepdims=True), chosen


def put(store: Store, space: str, drafts: list[Draft], vectors: np.ndarray, source: str = "test") -> list[int]:
    """Put drafts with these vectors into a space's own collection; their ids."""
    collection: Collection = store.collection(space, "own")
    return list(store.add(store.source(collection, "test", source, source), drafts, vectors, EMBEDDER).ids)


def hits(found: Outlook, topic_of: Mapping[int, int], plants: Mapping[int, Planted]) -> tuple[int, int, set[int]]:
    """How many trends are true (mostly one planted topic, in its direction), how many there are, which were found."""
    true, met = 0, set()
    for trend in found.trends:
        topics = [topic_of[one] for one in trend.members]
        main = max(set(topics), key=topics.count)
        rises = trend.direction is not Direction.FADING
        right = main in plants and (plants[main].direction is not Direction.FADING) == rises
        if right and topics.count(main) > len(topics) / 2:
            true += 1
            met.add(main)
    return true, len(found.trends), met


NOISE = "river stone bread wheel cloth tower garden letter mirror bridge candle market winter fisher copper".split()
THEME = "moss velvet lichen fern".split()


def library(rising: Iterable[str] = THEME, count: int = 480) -> list[Draft]:
    """Drafts over ten years, of which one theme takes up a third of the last."""
    rng = np.random.default_rng(4)
    drafts = []
    for number in range(count):
        year = 2016 + number % 10
        own = [*rng.choice(NOISE, 3, replace=False), f"number{number}"]
        words = [*rising, own[0]] if year == 2025 and number % 30 < 20 else own
        title = f"{words[0]} {words[-1]} {number}".title()
        drafts.append(
            Draft(
                title,
                f"{' '.join(words)}.",
                date=f"{year}-{1 + number % 12:02d}",
                address=f"https://example.org/{number}",
            )
        )
    return drafts
