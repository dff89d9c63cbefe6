"""A message worth keeping, and the snippet that it becomes. Knows no Discord: numbers, texts and addresses.

Links stay as they were given; nothing is fetched. Of pictures and other files their names and what was said of them
are kept, of embeds their words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.ideation.brief import LONGEST, read_brief
from bot.ideation.lexical import words
from bot.ideation.prompts import quoted
from knowledge.types import Draft

TITLE_WORDS = 8
LONGEST_TITLE = 100
LONGEST_SAVED = LONGEST  # characters of a message that are kept: a snippet is short
FEWEST_WORDS = 2  # of a message that shows nothing: with fewer it is chatter

_EMOJI = re.compile(r"<a?:\w+:\d+>")
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_COMMAND = re.compile(r"^[!?./$%&;~+-]{1,2}[a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Post:
    """A message: its text, who wrote it (a name to show, and the person), when, where, and a link to it.

    `date` is ISO 8601; `channel`, `message` and `parent`, the channel that a thread hangs on, are numbers. `shown` is
    what it shows beside its text, a line each: files with their descriptions, the words of embeds.
    """

    text: str
    name: str
    author: str
    date: str
    channel: int
    message: int
    address: str
    parent: int | None = None
    shown: tuple[str, ...] = ()


def saved(post: Post) -> Draft:
    """The snippet of a message that somebody chose to save. Raises `BadInput` when there are no words in it."""
    text = clipped(quoted(post.text))
    read_brief(text)
    return _draft(text, post, f"channel {post.channel}")


def caught(post: Post) -> Draft | None:
    """The snippet of a message in an inspiration channel, or None where it is a command or chatter.

    >>> caught(Post("lol", "Ann", "user:1", "2026-01-01", 1, 2, "https://d.test/2")) is None
    True
    """
    text = quoted(_EMOJI.sub(" ", post.text))
    shown = [line for line in (quoted(one) for one in post.shown) if line and line not in text]
    tells = bool(shown or _LINK.search(text))
    if _COMMAND.match(text) or (not tells and len(words(text)) < FEWEST_WORDS):
        return None
    whole = clipped(" · ".join([*([text] if text else []), *shown]))
    return _draft(whole, post, f"message {post.message}") if words(whole) else None


def clipped(text: str) -> str:
    """At most LONGEST_SAVED characters, cut between words where there are any."""
    return text if len(text) <= LONGEST_SAVED else text[: LONGEST_SAVED - 1].rsplit(" ", 1)[0] + "…"


def _draft(text: str, post: Post, apart: str) -> Draft:
    said = text.split()
    title = " ".join(said[:TITLE_WORDS]) + ("…" if len(said) > TITLE_WORDS else "")
    return Draft(
        title[:LONGEST_TITLE], text, date=post.date, author=quoted(post.name), address=post.address, apart=apart
    )
