"""Reading a brief that a person typed: made clean, or refused with one line that says what to do."""

from __future__ import annotations

from bot.ideation.lexical import words
from bot.ideation.prompts import quoted
from bot.ideation.types import Brief, Technique
from knowledge.errors import BadInput

LONGEST = 1000  # characters: more than any brief needs, and a small model's attention ends long before


def read_brief(text: str, audience: str | None = None, tone: str | None = None) -> Brief:
    """The brief in `text`. Raises `BadInput` when it is empty, has no word in it, or is far too long."""
    if len(text) > LONGEST:
        raise BadInput(
            f"That brief has {len(text):,} characters; {LONGEST:,} is the most. Say it in a sentence or two, "
            "and ingest the long text so that ideas can draw on it."
        )
    clean = quoted(text)
    if not words(clean):
        raise BadInput("A brief needs words: say what you want ideas about, like: a poster for a night market.")
    return Brief(clean, audience=quoted(audience) if audience else None, tone=quoted(tone) if tone else None)


def read_technique(name: str) -> Technique:
    """The technique of that name. Raises `BadInput` that lists those there are."""
    try:
        return Technique(name.strip().lower())
    except ValueError:
        raise BadInput(f"There is no technique {quoted(name)[:40]!r}. There are: {', '.join(Technique)}.") from None
