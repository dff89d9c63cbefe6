"""From what a person typed to an FTS5 query that cannot fail. It knows nothing of tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

WORD_LIMIT = 64  # a brief may be a whole page; its first words carry it, and each word costs a look-up

MARK = "\ufdd0"  # set around each matched word by SQLite; Unicode promises that this is no character of any text

_WORD = re.compile(r"\w+")

# Words that nearly every English text holds: they would match everything and say nothing.
STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be because been before being between both but by can could did do
    does doing don for from get give had has have having he help helps her here him his how i idea ideas if in into
    is it its just let like make makes many may me more most must my need new no nor not of off on one only or other
    our out over own please s same she should so some such t than that the their them then there these they this
    those through to too under until up us very want was way we were what when where which while who whom why will
    with would you your
    """.split()
)


def content_words(text: str) -> list[str]:
    """The words of `text` that carry meaning, lower case, in order, each once, at most WORD_LIMIT.

    Where nothing but stop words is left ("to be or not to be"), those are kept.
    """
    words = list(dict.fromkeys(_WORD.findall(unicodedata.normalize("NFC", text).lower())))
    return ([word for word in words if word not in STOP_WORDS] or words)[:WORD_LIMIT]


def match_expression(text: str) -> str | None:
    """An FTS5 query for any of the content words of `text`; None when it has no word."""
    return any_of(content_words(text))


def any_of(words: Sequence[str], joint: str = "OR") -> str | None:
    """An FTS5 query for any of these words, or, with another `joint`, for all of them; None when there are none.

    Each word is quoted, so FTS5 operators and punctuation in it are words or nothing, never syntax.
    """
    return f" {joint} ".join(f'"{word}"' for word in words) if words else None


def longest_marked(text: str) -> str:
    """The longest word that stands between MARKs in `text`, lower case; the first of equals, "" when there is none."""
    return max(text.split(MARK)[1::2], key=len, default="").lower()
