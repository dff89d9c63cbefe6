"""Ideas that people wrote for the dev briefs: the gates' thresholds are set on them, and a blind reading mixes them in.

They are never to be trained on: the first line of the file says so, and tests/bench/test_handwritten.py looks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "handwritten.jsonl"


@dataclass(frozen=True, slots=True)
class HandWritten:
    """One idea for a dev brief, and the text of the starter snippet that it is made from."""

    brief: str
    spark: str
    title: str
    idea: str
    first_step: str


def hand_written(path: Path = FILE) -> list[HandWritten]:
    """All of them, in the order of the dev briefs, three for each."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        HandWritten(one["brief"], one["spark"], one["title"], one["idea"], one["first_step"])
        for one in records
        if "note" not in one
    ]
