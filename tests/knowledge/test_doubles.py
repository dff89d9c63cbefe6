"""What counts as a double, with the real embedder: copies as feeds make them do, and what only looks alike does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from knowledge import starter
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.embedding import passage
from knowledge.sources.keeping import SAME
from knowledge.types import Draft

ALIKE = [
    (
        "Exhibition opens in Oslo. A show of folding chairs opens on Friday at the design museum in Oslo.",
        "Exhibition closes in Oslo. The show of folding chairs closes on Sunday at the design museum in Oslo.",
    ),
    (
        "Weekly links. Five links about type, light and water this week.",
        "Weekly links. Five links about type, light and paper this week.",
    ),
    (
        "Issue 41 is out. The spring issue is out, with essays on paper and three interviews with printers.",
        "Issue 42 is out. The summer issue is out, with essays on glass and three interviews with glaziers.",
    ),
    (
        "Poster prices rise. The price of screen printed posters rose by 12 percent in March.",
        "Poster prices fall. The price of screen printed posters fell by 9 percent in April.",
    ),
]


@pytest.fixture(scope="module")
def some() -> list[Draft]:
    drafts = starter.read_drafts((Path(starter.__file__).parent / "snippets.jsonl").read_text(encoding="utf-8"))
    return drafts[::25]


def copies(draft: Draft) -> list[Draft]:
    words = draft.text.split()
    return [
        replace(draft, title=f"{draft.title} | Design Weekly"),
        replace(draft, text=f"Via a friend: {draft.text}"),
        replace(draft, text=f"{draft.text} Read more at our site. Subscribe to the newsletter."),
        replace(draft, text=" ".join(words[: len(words) * 4 // 5]) + " …"),
    ]


def test_copies_are_doubles_and_what_looks_alike_is_not(
    embedder: SentenceTransformerEmbedder, some: list[Draft]
) -> None:
    vectors = embedder.embed([passage(draft) for draft in some])
    between = vectors @ vectors.T
    np.fill_diagonal(between, 0)
    assert between.max() < SAME
    copied = embedder.embed([passage(copy) for draft in some[::2] for copy in copies(draft)])
    cosines = (copied.reshape(-1, 4, vectors.shape[1]) @ vectors[::2, :, None])[..., 0]
    assert np.mean(cosines >= SAME) >= 0.9
    for one, other in ALIKE:
        first, second = embedder.embed([one, other])
        assert float(first @ second) < SAME, one
