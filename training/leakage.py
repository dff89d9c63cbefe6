"""Keeping the dev briefs out of training: no example may be about a brief that the yardstick asks.

Near means by meaning (cosine of the briefs) or by thing: the same form and every object that the dev brief insists on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.ideation.lexical import content_words
from training.examples import Example

TOO_NEAR = 0.7
SAME_THING = 0.5

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors, float32 (texts, dimensions)."""


@dataclass(frozen=True, slots=True)
class DevBrief:
    """A brief of the yardstick and the objects that an answer must have."""

    text: str
    objects: frozenset[str]


def dev_briefs(path: Path) -> list[DevBrief]:
    """The dev briefs of a JSON Lines file with "brief" and "must"."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [DevBrief(record["brief"], frozenset(content_words(" ".join(record.get("must", ()))))) for record in records]


def without_leaks(
    examples: Sequence[Example], briefs: Sequence[DevBrief], embed: Embed
) -> tuple[list[Example], list[Example]]:
    """(kept, dropped): dropped are those near a dev brief, by meaning, or by all its objects and half its meaning."""
    if not examples or not briefs:
        return list(examples), []
    similarity = embed([example.brief for example in examples]) @ embed([brief.text for brief in briefs]).T
    kept: list[Example] = []
    dropped: list[Example] = []
    for example, row in zip(examples, similarity, strict=True):
        words = set(content_words(example.brief))
        near = any(
            cosine > TOO_NEAR or (cosine > SAME_THING and brief.objects and brief.objects <= words)
            for cosine, brief in zip(row, briefs, strict=True)
        )
        (dropped if near else kept).append(example)
    return kept, dropped
