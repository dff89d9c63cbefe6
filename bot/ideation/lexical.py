"""Words and word runs: what gates, parsing and selection count. No model, no embedder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

STOPWORDS = frozenset(
    "a about above after again against all almost along already also although always am among an and another any are "
    "around as at away back be because become been before behind being below beneath between beyond both but by can "
    "cannot could did do does doing done down during each either else even ever every few first for from further get "
    "gets give gives go goes going had has have having he her here hers him his how i if in inside instead into is it "
    "its itself just keep keeps last least less let lets like made make makes making many may me might more most much "
    "must my near never new next no nobody none nor not nothing now of off often on once one only onto or other others "
    "our out outside over own per put puts rather same set sets she should show shows since so some someone something "
    "still such take takes than that the their them then there these they thing things this those though three through "
    "to together too toward towards turn turns two under until up upon us use used uses using very was way we well "
    "were what when where whether which while who whole whose why will with within without would yet you your".split()
)


def words(text: str) -> list[str]:
    """The words of a text, in lower case, in order."""
    return [match.group().lower().replace("’", "'") for match in _WORD.finditer(text)]


def stem(word: str) -> str:
    """A word without possessive and plural endings: enough to match "boats" with "boat", and no cleverer than that."""
    word = word.removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def content_words(text: str) -> list[str]:
    """The stems that carry meaning, in order, repeats kept."""
    return [stem(word) for word in words(text) if word not in STOPWORDS and len(word) > 2]


def ngrams(tokens: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """All runs of `size` tokens, in order; empty when there are too few."""
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


def shares_run(text: str, others: Iterable[str], size: int = 8) -> bool:
    """Whether a run of `size` words of the text stands in any of the others."""
    runs = set(ngrams(words(text), size))
    return bool(runs) and any(not runs.isdisjoint(ngrams(words(other), size)) for other in others)


def overlap(text: str, other: str, size: int = 4) -> float:
    """The share of the text's `size`-grams that the other has too, in [0, 1]."""
    mine = ngrams(words(text), size)
    theirs = set(ngrams(words(other), size))
    return sum(gram in theirs for gram in mine) / len(mine) if mine else 0.0
