"""What the tests of the yardstick measure with: good ideas, and a smaller library than the bench's, to be quick."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.ideation.handwritten import hand_written
from bench.yardstick import Scored, Shown, Yardstick
from bot.ideation.lexical import content_words

ROOT = Path(__file__).parents[2]


def lines(path: str) -> list[dict[str, Any]]:
    """The records of a JSON Lines file of the project."""
    return [json.loads(line) for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]


STOP = json.loads((Path(__file__).parent / "bus_stop.json").read_text(encoding="utf-8"))
BRIEF: str = STOP["brief"]
GOOD = [Shown(pair["idea"], pair["spark"]) for pair in STOP["good"]]
"""Ten good ideas for one brief."""

PEOPLES = hand_written()
ONE_EACH = PEOPLES[1::3]
"""One hand-written idea for each dev brief."""

DEV_BRIEFS = [record["brief"] for record in lines("bench/briefs_dev.jsonl")]
BRAINSTORMS = [record for record in lines("training/earlier/base.jsonl") if record["task"] == "brainstorm"]


def _nearest(brief: str) -> dict[str, Any]:
    """The training brainstorm whose brief has most words in common with this one."""
    asked = set(content_words(brief))
    return max(BRAINSTORMS, key=lambda record: len(asked & set(content_words(record["input"]["brief"]))))


COPIED = [_nearest(one.brief) for one in ONE_EACH]
OURS = [*(idea.spark or "" for idea in GOOD), *(one.spark for one in PEOPLES)]
SNIPPETS = [*OURS, *[s["text"] for s in lines("knowledge/starter/snippets.jsonl") if s["text"] not in OURS][::16]]
WRITTEN = list(dict.fromkeys(record["output"]["idea"] for record in [*COPIED, *BRAINSTORMS[::60]]))


def score(yardstick: Yardstick, ideas: Sequence[Shown], brief: str = BRIEF) -> list[Scored]:
    """The ideas' scores where every snippet that they cite was shown."""
    return yardstick.score(brief, ideas, [idea.spark for idea in ideas if idea.spark])


def one_by_one(yardstick: Yardstick, ideas: Sequence[Shown], briefs: Sequence[str]) -> list[Scored]:
    """Each idea's score under its own brief."""
    return [score(yardstick, [idea], brief)[0] for idea, brief in zip(ideas, briefs, strict=True)]
