"""The gates that a candidate passes before anyone sees it: pure functions of words and cosines.

They follow the project's yardstick (bench/ideas.py measures the same five properties, with a referee of its own), and
add one that only a running bot can have: novelty against the space's own journal. Each returns None when the candidate
passes and otherwise the reason, in words that a log or a person can read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bot.ideation.lexical import content_words, ngrams, overlap, shares_run, stem, words

Vector = NDArray[np.float32]

FEWEST_WORDS, MOST_WORDS = 8, 60
BOILERPLATE = re.compile(
    r"\b(sure[,!]|certainly[,!]|here(?:'s| is| are)\b.{0,20}\bidea|as an ai\b|i hope this|let me know|this idea\b)",
    re.I,
)
SAME_IDEA = 0.80  # cosine; the journal's ideas at or above it count as already had
COPY_OF_SPARK = 0.85


class Gate(StrEnum):
    """What a candidate can fail on."""

    FORMAT = "format"
    FLUENCY = "fluency"
    RELEVANCE = "relevance"
    GROUNDING = "grounding"
    ORIGINALITY = "originality"
    NOVELTY = "novelty"
    BANNED = "banned"


def format_fault(body: str) -> str | None:
    """8 to 60 words, a whole sentence at the end, no boilerplate, few repeated 4-grams, no word over three times."""
    tokens = words(body)
    if not FEWEST_WORDS <= len(tokens) <= MOST_WORDS:
        return f"{len(tokens)} words"
    if not body.rstrip("\"'”’)").endswith((".", "!", "?", "…")):
        return "ends in mid-sentence"
    if BOILERPLATE.search(body):
        return "chat boilerplate"
    grams = ngrams(tokens, 4)
    if len(set(grams)) < 0.9 * len(grams):
        return "repeats itself"
    word, times = Counter(content_words(body)).most_common(1)[0] if content_words(body) else ("", 0)
    if times > 3:
        return f"says {word!r} {times} times"
    return None if times else "no content"


def fluency_fault(log_likelihood: float | None) -> str | None:
    """Mean negative log likelihood in [0.3, 4.5] nats a token under the model that wrote it; unknown passes.

    The floor catches loops, the ceiling word salad. A model is surer of its own words than the yardstick's referee is,
    hence a lower band than the referee's [1.0, 6.5].
    """
    if log_likelihood is None or 0.3 <= -log_likelihood <= 4.5:
        return None
    return f"{-log_likelihood:.1f} nats a token"


def relevance_fault(body: str, brief: str, own: float, others: Sequence[float] | Vector) -> str | None:
    """Its brief is among the 3 most similar of itself and other people's, and it is not just the brief said again.

    `own` is the cosine of body and brief, `others` those of the body and the background briefs.
    """
    nearer = int(np.sum(np.asarray(others) > own))
    if nearer > 2:
        return f"nearer to {nearer} other briefs"
    mine, asked = content_words(body), set(content_words(brief))
    share = sum(word in asked for word in mine) / max(1, len(mine))
    return f"{share:.0%} of its words are the brief's" if share > 0.6 else None


def grounding_fault(body: str, brief: str, spark: str, own: float, others: Sequence[float] | Vector) -> str | None:
    """Its spark is among the 5 most similar of itself and random others, and lends it a content word of its own.

    `own` is the cosine of body and spark, `others` those of the body and random snippets.
    """
    nearer = int(np.sum(np.asarray(others) > own))
    if nearer > 4:
        return f"nearer to {nearer} other snippets"
    lent = (set(content_words(body)) & set(content_words(spark))) - set(content_words(brief))
    return None if lent else "no word of its spark"


def originality_fault(body: str, sources: Sequence[str], nearest: float) -> str | None:
    """No 8-word run and at most a fifth of its 4-grams from any source, and not the spark said again.

    `sources` are the texts that the model was shown; `nearest` is the largest cosine to a spark.
    """
    if shares_run(body, sources):
        return "copies eight words"
    if any(overlap(body, source) > 0.2 for source in sources):
        return "copies phrases"
    return "says the spark again" if nearest > COPY_OF_SPARK else None


def novelty_fault(nearest: float) -> str | None:
    """Not what the space's journal already holds: `nearest` is the largest cosine to any idea in it."""
    return "the space has had it" if nearest >= SAME_IDEA else None


def banned_fault(text: str, banned: Sequence[str]) -> str | None:
    """No motif in it that its channel has banned: the motif's words in a row, in the singular or the plural."""
    said = [stem(word) for word in words(text)]
    for motif in banned:
        run = tuple(stem(word) for word in words(motif))
        if run in ngrams(said, len(run)) if run else motif in text:
            return f"says {motif!r}"
    return None
