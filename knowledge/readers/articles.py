"""From one article, whatever it came in, to drafts: a short one is one snippet, a long one some passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from knowledge.readers.base import TEXT_CHARACTERS, TITLE_CHARACTERS
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import shorten
from knowledge.readers.passages import has_words, opening_words, passages
from knowledge.readers.prose import SENTENCE_CLOSED
from knowledge.types import Draft

# What publishing programs add below an excerpt; it says nothing, and makes unlike articles alike.
_BOILERPLATE = re.compile(
    r"(?:the post .{1,300} (?:appeared first on|first appeared on) .{1,200}"
    r"|(?:continue reading|read more|read the full)\b.{0,200}"
    r"|\[?(?:…|\.\.\.|&hellip;)\]?|(?:comments|permalink|share this:?|leave a comment)\W*)",
    re.IGNORECASE,
)


def drafts_of_article(about: Draft, blocks: Iterable[Block], most: int | None = None) -> Iterator[Draft]:
    """An article's drafts, at most `most`, each with what `about` says. Its title stands above each passage's.

    An article without text is its title, if that has words.
    """
    title = shorten(about.title, TITLE_CHARACTERS)
    kept = [block for block in blocks if block.text and not _BOILERPLATE.fullmatch(block.text)]
    ends = (" " if SENTENCE_CLOSED.search(block.text) else "; " if block.is_item else ". " for block in kept)
    whole = "".join(block.text + end for block, end in zip(kept, ends, strict=True)).rstrip("; ") or title
    if not has_words(whole):
        return
    if len(whole) <= TEXT_CHARACTERS:
        yield replace(about, title=title or opening_words(whole), text=whole)
        return
    headed = (replace(block, headings=(title, *block.headings) if title else block.headings) for block in kept)
    for count, passage in enumerate(passages(headed)):
        if most is not None and count >= most:
            return
        yield replace(about, title=passage.title, text=passage.text, address=passage.address or about.address)
