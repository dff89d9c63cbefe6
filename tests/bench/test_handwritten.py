"""The hand-written ideas: what they are made of, and that no model is trained on them or on anything near them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from bench.ideas import library_texts
from bench.ideation.handwritten import FILE
from bench.yardstick import Sources
from bot.ideation.lexical import content_words, words
from tests.bench.conftest import Remembering
from tests.bench.material import DEV_BRIEFS, PEOPLES, ROOT
from training import learned
from training.examples import Example, read
from training.leakage import dev_briefs, without_leaks

NEAR_IN_WORDS = 1


def test_there_are_three_for_each_dev_brief_each_from_a_snippet_of_its_own() -> None:
    assert [one.brief for one in PEOPLES] == [brief for brief in DEV_BRIEFS for _ in range(3)]
    assert {one.spark for one in PEOPLES} <= set(library_texts())
    for part in ("spark", "title", "idea", "first_step"):
        assert len({getattr(one, part) for one in PEOPLES}) == 84, part
    for one in PEOPLES:
        assert 25 <= len(words(one.idea)) <= 60, one.title
        assert 2 <= len(words(one.title)) <= 6, one.title
        assert 8 <= len(words(one.first_step)) <= 20, one.title


def test_none_is_a_training_example_or_says_one_again(embedder: Remembering) -> None:
    """Word by word against all training ideas; by meaning against those that share most of its rarer words."""
    bodies = learned.bodies()
    sources = Sources(bodies)
    assert not [one.title for one in PEOPLES if sources.copied(one.idea)]

    holders: dict[str, list[int]] = {}
    for number, body in enumerate(bodies):
        for word in set(content_words(body)):
            holders.setdefault(word, []).append(number)
    for one in PEOPLES:
        weights: Counter[int] = Counter()
        for word in set(content_words(one.idea)):
            for number in holders.get(word, ()):
                weights[number] += 1 / len(holders[word])
        nearest = [bodies[number] for number, _ in weights.most_common(NEAR_IN_WORDS)]
        similar = embedder.embed(nearest) @ embedder.embed([one.idea])[0]
        assert float(np.max(similar)) <= 0.75, (one.title, nearest)


def test_training_would_drop_them_wherever_they_got_in(embedder: Remembering) -> None:
    briefs = dev_briefs(ROOT / "bench/briefs_dev.jsonl")
    smuggled = [Example("brainstorm", one.brief, (), one.idea) for one in PEOPLES]
    assert without_leaks(smuggled, briefs, embedder.embed) == ([], smuggled)


def test_no_file_of_examples_holds_one_and_theirs_says_why() -> None:
    answers = " ".join(example.answer for example in read(sorted((ROOT / "training/examples").glob("*.jsonl"))))
    assert not [one.title for one in PEOPLES if one.idea in answers or one.first_step in answers]
    assert "Never train on these" in FILE.read_text(encoding="utf-8").splitlines()[0]
