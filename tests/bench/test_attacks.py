"""What is no idea must score nothing: the protocol's attacks, made of hand-written good ideas. Real embedder.

Each says what ten such ideas would score. The referee passes everything except where a test asks for the real one, so
that what fails does so by the other gates.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bench import yardstick as measures
from bench.ideation.handwritten import HandWritten
from bench.yardstick import Scored, Shown, Yardstick
from bot.ideation.gates import Gate
from bot.ideation.lexical import content_words, words
from tests.bench.conftest import Remembering
from tests.bench.material import COPIED, DEV_BRIEFS, ONE_EACH, PEOPLES, SNIPPETS, one_by_one, score


def noun_of(one: HandWritten) -> str:
    """A word of the spark that the brief has not."""
    return next(word for word in reversed(content_words(one.spark)) if word not in content_words(one.brief))


SYNONYMS = {
    "small": "little", "people": "folk", "house": "home", "through": "by way of", "made": "built", "filled": "packed",
    "clear": "see-through", "dark": "gloom", "light": "glow", "read": "spoken", "fixed": "set", "order": "sequence",
    "own": "one", "many": "a lot of", "names": "titles", "beam": "ray", "slot": "slit", "passage": "corridor",
    "above": "over", "lights": "brightens", "families": "households", "gives": "hands", "build": "construct",
    "stage": "platform", "pond": "pool", "long": "lengthy", "hidden": "concealed", "under": "beneath", "work": "move",
    "each": "every", "with": "having", "from": "out of", "they": "those", "where": "in which", "their": "such",
    "until": "up to when", "them": "those ones", "year": "twelve months", "water": "liquid", "still": "yet",
    "black": "jet", "white": "pale", "day": "date", "night": "evening", "same": "identical", "when": "once",
    "woman": "lady", "man": "fellow", "child": "kid", "red": "scarlet", "wooden": "timber", "often": "commonly",
}  # fmt: skip

GENERIC = [
    "Think about who will use it and what they really need, then keep the design simple and clear so it works.",
    "Use warm colours and natural materials to create a cosy atmosphere that makes everybody feel at home and relaxed.",
    "Talk to the local community, collect their thoughts and build something together that everyone can be proud of.",
    "Tell a story that connects with people's emotions and gives them a memorable experience they want to share again.",
    "Start small, test early with real users, learn from the feedback and improve the result one step at a time.",
]

ATTACKS: dict[str, Callable[[int, HandWritten], Shown]] = {
    "snippets pasted": lambda _, one: Shown(one.spark, one.spark),
    "snippets with synonyms swapped": lambda _, one: Shown(
        " ".join(SYNONYMS.get(word, word) for word in one.spark.split()), one.spark
    ),
    "the brief echoed plus a noun": lambda _, one: Shown(f"{one.brief.rstrip('.')}, with a {noun_of(one)}.", one.spark),
    "training examples copied": lambda place, _: Shown(
        COPIED[place]["output"]["idea"], COPIED[place]["input"]["inspirations"][0]
    ),
    "generic advice": lambda place, one: Shown(GENERIC[place % len(GENERIC)], one.spark),
    "cut in mid-sentence": lambda _, one: Shown(one.idea[: -len(one.idea) // 3], one.spark),
}


def ud_at_ten(scored: Sequence[Scored], grounded: bool = True) -> float:
    """What ten such ideas score where none says the same as another: ten times the share that is valid."""
    return 10 * sum(one.valid(grounded) for one in scored) / len(scored)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_score_nothing(name: str, yardstick: Yardstick) -> None:
    """Made from a hand-written idea for each of the 28 briefs; the referee passes all, so the other gates must not."""
    ideas = [ATTACKS[name](place, one) for place, one in enumerate(ONE_EACH)]
    scored = one_by_one(yardstick, ideas, [one.brief for one in ONE_EACH])
    assert ud_at_ten(scored) <= 0.5, Counter(tuple(one.faults) for one in scored)


def test_the_right_snippet_cited_for_an_unrelated_idea_scores_next_to_nothing(yardstick: Yardstick) -> None:
    """Every hand-written idea with a snippet of each other brief's, as if that had been shown.

    A rank lets some through by chance: one snippet in 10 (5 of 51) is near enough, and of these 36 % share a word.
    Measured 0.40 with all 1,010 snippets. Among the ideas of one brief, whose snippets are in part kin (two on coffins,
    three on cords), it is 0.71.
    """
    scored: list[Scored] = []
    for one in PEOPLES:
        unrelated = [Shown(one.idea, other.spark) for other in ONE_EACH if other.brief != one.brief]
        scored += score(yardstick, unrelated, one.brief)
    assert ud_at_ten(scored) <= 0.5


@pytest.mark.usefixtures("strictly")
def test_nonsense_scores_nothing(yardstick: Yardstick) -> None:
    """Random words of the library, and good ideas' own words shuffled: the fluency gate alone must see both."""
    draw = random.Random(1)
    pool = [word for text in SNIPPETS for word in words(text)]
    bodies = [draw.sample(pool, 28) for _ in range(4)]
    bodies += [draw.sample(tokens, len(tokens)) for one in ONE_EACH[::7] if (tokens := words(one.idea))]
    ideas = [Shown(" ".join(body).capitalize() + ".", one.spark) for body, one in zip(bodies, ONE_EACH, strict=False)]
    scored = one_by_one(yardstick, ideas, [one.brief for one in ONE_EACH[: len(ideas)]])
    assert measures.distinct(scored) == 0
    assert all(Gate.FLUENCY in one.faults for one in scored)


def test_good_ideas_of_another_brief_score_nothing(yardstick: Yardstick, embedder: Remembering) -> None:
    """Every hand-written idea under each of the 27 briefs that it was not written for.

    Relevance alone can't hold them to 0.5. It is a rank: whatever is asked, an idea is among the first three of 28
    briefs, its own and two others, so 2 in 27 wrong briefs let it through and ten such ideas count 0.74 by arithmetic,
    for any embedder (measured: 0.74). What else must reject them is grounding: an idea written for another brief cites
    a snippet that was shown for that one. The first figure is such ideas as they are (measured 0.02, all 1,010
    snippets); the second is a liar's, who cites instead whichever of the snippets shown here is most like his idea
    (0.4). An earlier form of this test counted every idea's own snippet as shown, and so had 0.56.
    """
    library = embedder.embed(SNIPPETS)
    honest: list[Scored] = []
    lying: list[Scored] = []
    for brief in DEV_BRIEFS:
        others = [one for one in PEOPLES if one.brief != brief]
        shown = [SNIPPETS[place] for place in np.argsort(-(library @ embedder.embed([brief])[0]))[:20]]
        nearest = (embedder.embed([one.idea for one in others]) @ embedder.embed(shown).T).argmax(axis=1)
        honest += yardstick.score(brief, [Shown(one.idea, one.spark) for one in others], shown)
        lies = [Shown(one.idea, shown[place]) for one, place in zip(others, nearest, strict=True)]
        lying += yardstick.score(brief, lies, shown)
    assert ud_at_ten(honest) <= 0.5
    assert ud_at_ten(lying) <= 0.5
    relevant = sum(Gate.RELEVANCE not in one.faults for one in honest) / len(honest)
    assert relevant <= 3 / 27, "three of the 28 ranks at most"
