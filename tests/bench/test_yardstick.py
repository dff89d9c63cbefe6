"""The yardstick against attacks and against hand-written good ideas, with the real embedder and the real referee.

A smaller library than the bench's (a few hundred texts) keeps it quick; the gates and formulas are the same.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench import yardstick as measures
from bench.ideation.referee import UntunedReferee
from bench.yardstick import Scored, Shown, Yardstick
from bot.ideation.gates import Gate
from bot.ideation.lexical import words
from knowledge.embedded import open_embedder

ROOT = Path(__file__).parents[2]
FIVE = 5


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]


STOP = json.loads((Path(__file__).parent / "bus_stop.json").read_text(encoding="utf-8"))
BRIEF = STOP["brief"]
GOOD = [Shown(pair["idea"], pair["spark"]) for pair in STOP["good"]]
BRAINSTORMS = [record for record in lines("training/examples/base.jsonl") if record["task"] == "brainstorm"]
DEV_BRIEFS = [record["brief"] for record in lines("bench/briefs_dev.jsonl")]
OURS = [idea.spark for idea in GOOD]
SNIPPETS = [*OURS, *[s["text"] for s in lines("knowledge/starter/snippets.jsonl") if s["text"] not in OURS][::7]]
COPIED = [record for record in BRAINSTORMS if "bus stop" in record["input"]["brief"]]
WRITTEN = [record["output"]["idea"] for record in [*COPIED, *BRAINSTORMS[::5]]]


class Remembering:
    """The real embedder, which is asked for every text once."""

    def __init__(self) -> None:
        self._embedder = open_embedder(device="cpu")
        self._known: dict[str, np.ndarray] = {}

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if fresh := list(dict.fromkeys(text for text in texts if text not in self._known)):
            self._known.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        return np.stack([self._known[text] for text in texts])


@pytest.fixture(scope="module")
def embedder() -> Remembering:
    return Remembering()


@pytest.fixture(scope="module")
def referee() -> UntunedReferee:
    return UntunedReferee(ROOT / ".cache/tests/models", "cpu")


class Lenient:
    """A referee that every text pleases, and `real` one on demand: what fails without it fails by the other gates."""

    def __init__(self, real: UntunedReferee) -> None:
        self.real, self.strict = real, False

    def __call__(self, texts: Sequence[str]) -> Sequence[float]:
        count = len(texts) // (1 + measures.SHUFFLES)
        return self.real(texts) if self.strict else [3.0] * count + [6.0] * (len(texts) - count)


@pytest.fixture(scope="module")
def lenient(referee: UntunedReferee) -> Lenient:
    return Lenient(referee)


@pytest.fixture(scope="module")
def yardstick(embedder: Remembering, lenient: Lenient) -> Yardstick:
    return Yardstick(embedder.embed, lenient, DEV_BRIEFS, SNIPPETS, WRITTEN)


@pytest.fixture
def strictly(lenient: Lenient) -> Iterator[None]:
    """The real referee for one test."""
    lenient.strict = True
    yield
    lenient.strict = False


def score(yardstick: Yardstick, ideas: Sequence[Shown], brief: str = BRIEF) -> list[Scored]:
    return yardstick.score(brief, ideas, [idea.spark for idea in ideas if idea.spark])


@pytest.mark.usefixtures("strictly")
def test_ten_good_ideas_count_as_ten_or_nearly(yardstick: Yardstick) -> None:
    scored = score(yardstick, GOOD)
    assert sum(one.valid() for one in scored) >= 9, [one.faults for one in scored]
    assert measures.distinct(scored) >= 6
    assert measures.utility(scored) > 4


def test_one_good_idea_and_nine_paraphrases_count_as_at_most_two(yardstick: Yardstick) -> None:
    told_again = [Shown(body, GOOD[3].spark) for body in STOP["paraphrases_of_the_fourth"]]
    scored = score(yardstick, [GOOD[3], *told_again])
    assert sum(one.valid() for one in scored) >= 5, "the paraphrases must be valid, or this would show nothing"
    assert measures.distinct(scored) <= 2


def random_words() -> list[Shown]:
    draw = random.Random(1)
    pool = [word for text in SNIPPETS for word in words(text)]
    return [Shown(" ".join(draw.sample(pool, 28)).capitalize() + ".", idea.spark) for idea in GOOD[:FIVE]]


def shuffled() -> list[Shown]:
    draw = random.Random(2)
    bodies = [words(idea.body) for idea in GOOD[:FIVE]]
    return [
        Shown(" ".join(draw.sample(body, len(body))).capitalize() + ".", idea.spark)
        for body, idea in zip(bodies, GOOD, strict=False)
    ]


SYNONYMS = {
    "small": "little", "people": "folk", "house": "home", "through": "by way of", "made": "built", "filled": "packed",
    "clear": "see-through", "dark": "gloom", "light": "glow", "read": "spoken", "fixed": "set", "order": "sequence",
    "own": "one", "many": "a lot of", "names": "titles", "beam": "ray", "slot": "slit", "passage": "corridor",
    "above": "over", "lights": "brightens", "families": "households", "gives": "hands", "build": "construct",
    "stage": "platform", "pond": "pool", "long": "lengthy", "hidden": "concealed", "under": "beneath", "work": "move",
}  # fmt: skip


def synonyms_swapped() -> list[Shown]:
    return [
        Shown(" ".join(SYNONYMS.get(word, word) for word in idea.spark.split()), idea.spark)
        for idea in GOOD[:FIVE]
        if idea.spark
    ]


GENERIC = [
    "Think about who will use it and what they really need, then keep the design simple and clear so it works.",
    "Use warm colours and natural materials to create a cosy atmosphere that makes everybody feel at home and relaxed.",
    "Talk to the local community, collect their thoughts and build something together that everyone can be proud of.",
    "Tell a story that connects with people's emotions and gives them a memorable experience they want to share again.",
    "Start small, test early with real users, learn from the feedback and improve the result one step at a time.",
]

ATTACKS = {
    "snippets pasted": lambda: [Shown(idea.spark or "", idea.spark) for idea in GOOD[:FIVE]],
    "snippets with synonyms swapped": synonyms_swapped,
    "the brief echoed plus a noun": lambda: [
        Shown(f"{BRIEF.rstrip('.')}, with a {noun} for the windy winter bus stop.", idea.spark)
        for noun, idea in zip(["drum", "speaker", "slot", "house", "dragon"], GOOD, strict=False)
    ],
    "training examples copied": lambda: [
        Shown(record["output"]["idea"], record["input"]["inspirations"][0]) for record in COPIED[:FIVE]
    ],
    "generic advice": lambda: [Shown(body, idea.spark) for body, idea in zip(GENERIC, GOOD, strict=False)],
    "the right snippet for an unrelated idea": lambda: [
        Shown(idea.body, GOOD[number - 3].spark) for number, idea in enumerate(GOOD[:FIVE])
    ],
    "cut in mid-sentence": lambda: [Shown(idea.body[: -len(idea.body) // 3], idea.spark) for idea in GOOD[:FIVE]],
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_score_nothing(name: str, yardstick: Yardstick) -> None:
    ideas = ATTACKS[name]()
    assert len(ideas) >= 3
    scored = score(yardstick, ideas)
    assert measures.distinct(scored) * 10 / len(ideas) <= 0.5, [one.faults for one in scored]


@pytest.mark.usefixtures("strictly")
@pytest.mark.parametrize("nonsense", [random_words, shuffled])
def test_nonsense_scores_nothing(nonsense: Callable[[], list[Shown]], yardstick: Yardstick) -> None:
    scored = score(yardstick, nonsense())
    assert measures.distinct(scored) == 0
    assert all(Gate.FLUENCY in one.faults for one in scored)


def test_good_ideas_of_another_brief_score_next_to_nothing(yardstick: Yardstick) -> None:
    """The relevance gate, being a rank among 28, lets every idea through for two other briefs at the most.

    Where briefs are kin (a bus stop and a stopped lift) these two are often the same, so the mean is what it is: 0.56
    over all 27 when last measured, against the protocol's 0.5; most briefs have none.
    """
    counts = [measures.distinct(score(yardstick, GOOD, brief)) for brief in DEV_BRIEFS if brief != BRIEF]
    assert np.median(counts) == 0
    assert np.mean(counts) <= 0.6, counts


HAND_WRITTEN = {
    Gate.FORMAT: 0.95, Gate.FLUENCY: 0.9, Gate.RELEVANCE: 0.75, Gate.GROUNDING: 0.75, Gate.ORIGINALITY: 0.9,
}  # fmt: skip
"""How many hand-written ideas each gate must let through.

The two gates that rank by MiniLM are stricter than the protocol's nine in ten, since an analogy borrows how its spark
works and not its words. Measured: relevance 80 % and grounding 79 % on these 56 of base.jsonl; 90 % and 83 % on 240 of
all files, where 90 % would need the eighth place instead of the fifth.
"""
STRICT = 12


def test_hand_written_ideas_pass_each_gate(embedder: Remembering, lenient: Lenient) -> None:
    chosen = [record for record in BRAINSTORMS if len(record["input"]["inspirations"]) == 1][7::14][:56]
    bodies = {record["output"]["idea"] for record in chosen}
    others = [body for body in WRITTEN if body not in bodies]
    failures: Counter[Gate] = Counter()
    for first in (0, 28):  # 28 briefs at a time, as many as the protocol ranks among
        part = chosen[first : first + 28]
        yardstick = Yardstick(embedder.embed, lenient, [r["input"]["brief"] for r in part], SNIPPETS, others)
        for number, record in enumerate(part, start=first):
            lenient.strict = number < STRICT
            given = record["input"]
            shown = Shown(record["output"]["idea"], given["inspirations"][0])
            failures.update(yardstick.score(given["brief"], [shown], given["inspirations"])[0].faults.keys())
    lenient.strict = False
    for gate, least in HAND_WRITTEN.items():
        of = STRICT if gate is Gate.FLUENCY else 56
        assert 1 - failures[gate] / of >= least, (gate, failures)


def test_an_idea_must_cite_what_was_shown(yardstick: Yardstick) -> None:
    uncited = yardstick.score(BRIEF, [Shown(GOOD[0].body)], [])[0]
    unseen = yardstick.score(BRIEF, [GOOD[0]], [GOOD[1].spark or ""])[0]
    assert uncited.faults.keys() == unseen.faults.keys() == {Gate.GROUNDING}
    assert uncited.valid(grounded=False)
    assert not uncited.valid()


# ---- figures, by hand-made vectors


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def one(vector: np.ndarray, *faults: Gate) -> Scored:
    return Scored(dict.fromkeys(faults, "fault"), 1.0, 1.0, 1.0, 3.0, vector)


EAST, NORTH, NEARLY_EAST = unit(1, 0), unit(0, 1), unit(1, 0.1)


def test_classes_join_the_first_match_in_shown_order() -> None:
    assert measures.classes([EAST, NORTH, NEARLY_EAST, NORTH]) == [0, 1, 0, 1]
    assert measures.classes([]) == []


def test_invalid_ideas_neither_count_nor_open_a_class() -> None:
    scored = [one(EAST, Gate.FORMAT), one(NEARLY_EAST), one(NORTH, Gate.GROUNDING)]
    assert measures.distinct(scored) == 1
    assert measures.distinct(scored, grounded=False) == 2


def test_utility_is_ten_at_its_best_and_counts_early_places_more() -> None:
    apart = [one(unit(*row)) for row in np.eye(10)]
    assert measures.utility(apart) == pytest.approx(10)
    early, late = [apart[0], one(EAST[:1], Gate.FORMAT)], [one(EAST[:1], Gate.FORMAT), apart[0]]
    assert measures.utility(early) > measures.utility(late) > 0


def test_distance_and_vendi() -> None:
    assert measures.effective_distance([one(EAST), one(NORTH)], places=2) == pytest.approx(1)
    assert measures.effective_distance([one(EAST), one(NORTH, Gate.FORMAT)], places=2) == 0
    assert measures.vendi([EAST, NORTH]) == pytest.approx(2, abs=1e-4)
    assert measures.vendi([EAST, EAST]) == pytest.approx(1, abs=1e-4)


def test_recurrence_counts_matches_between_briefs_only() -> None:
    assert measures.recurrence([[EAST, EAST], [NORTH]]) == 0
    assert measures.recurrence([[EAST, NORTH], [EAST]]) == pytest.approx(2 / 3)


def test_lexical_measures_see_repetition() -> None:
    same = ["The lamp hangs over the door of the house."] * 4
    different = ["A lamp hangs there.", "Nine goats vote today.", "Salt dries on rope.", "The clerk eats paper stamps."]
    assert measures.self_bleu(same) > 0.9
    assert measures.self_bleu(different) < 0.4
    assert measures.compression_ratio(same) > measures.compression_ratio(different)
    assert measures.distinct_openings(same) == 0.25
    assert measures.distinct_openings(different) == 1


def test_the_interval_holds_the_mean_and_narrows_to_a_constant() -> None:
    low, high = measures.interval([1.0, 2.0, 3.0, 4.0])
    assert low < 2.5 < high
    assert measures.interval([2.0, 2.0]) == (2.0, 2.0)
