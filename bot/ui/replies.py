"""What a chat reply looks like: the model's words made safe, its sparks as numbered links below. Pure.

A reply keeps the markdown of its text (emphasis, lists, code), because it is read as a person's message would be; what
could mention, link, shout or pass for the list of sparks does not get through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.ideation.gates import banned_fault
from bot.ui.marks import link, plain
from knowledge.types import Hit

_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.S)
_MARK = re.compile(r"<|:(?=//)|\](?=\()|^[ \t]*(?:#{1,3}|-#)(?=\s)", re.M)
_SHOUT = re.compile(r"@(?=everyone|here)")
_ESCAPED = re.compile(r"\\([\\`*_~|\[\]<:#>()+-])")
_CITED = re.compile(r"\s?\[(\d{1,2})\]")
_TURN = re.compile(r"^\s*(?:user|human|message|you|sparks?)\s*:", re.I | re.M)
_SENTENCE = re.compile(r"[^.!?…\n]+(?:[.!?…]+[\"'”’)\]]*|\n|\Z)\s*|\s+")
_ZERO_WIDTH_SPACE = "\u200b"


def own_words(text: str) -> str:
    """The reply up to where the model begins to speak for the other person."""
    return _TURN.split(text, maxsplit=1)[0].strip()


def without_banned(text: str, banned: Sequence[str]) -> str:
    """The text without the sentences that say a banned motif."""
    if banned_fault(text, banned) is None:
        return text
    return "".join(sentence for sentence in _SENTENCE.findall(text) if banned_fault(sentence, banned) is None).strip()


def spoken(text: str) -> str:
    """A model's text as a message: no mention, custom emoji, timestamp, link, heading or small print gets through."""
    parts = _CODE.split(text)
    for number in range(0, len(parts), 2):  # every second part is code
        parts[number] = _SHOUT.sub(f"@{_ZERO_WIDTH_SPACE}", _MARK.sub(_escaped, parts[number]))
    return "".join(parts)


def reply(text: str, sparks: Sequence[Hit], *, finished: bool = True) -> str:
    """A whole reply. Marks such as [7] that name no spark go; the sparks stand below once it is `finished`."""
    cited = {int(number) for number in _CITED.findall(text)}
    real = set(range(1, len(sparks) + 1))
    text = _CITED.sub(lambda match: match.group() if int(match.group(1)) in real else "", text)
    below = sparks_below(sparks, cited & real) if finished else ""
    return "\n\n".join(part for part in (spoken(text), below) if part)


def sparks_below(sparks: Sequence[Hit], cited: set[int]) -> str:
    """The sparks that a reply cites, numbered; if it cites none, those it was shown, and that it left them."""
    if not sparks:
        return ""
    lines = [
        f"-# [{number}] {link(hit.snippet.title, hit.snippet.address)}"
        for number, hit in enumerate(sparks, start=1)
        if number in cited or not cited
    ]
    return "\n".join(lines if cited else ["-# no spark used; the nearest were:", *lines])


def sparks_alone(sparks: Sequence[Hit], line: str) -> str:
    """What there is to say when the model is silent: one line on why, and the sparks in their own words."""
    found = [
        f"[{number}] {link(hit.snippet.title, hit.snippet.address)}: {plain(hit.snippet.text, 200)}"
        for number, hit in enumerate(sparks, start=1)
    ]
    return "\n".join([plain(line, 300), *found])


def said(content: str) -> str:
    """What a reply of ours said, read back from its message: without the sparks below and without escapes."""
    lines = [line for line in content.splitlines() if not line.startswith("-# ")]
    return _ESCAPED.sub(r"\1", "\n".join(lines)).replace(_ZERO_WIDTH_SPACE, "").strip()


def _escaped(match: re.Match[str]) -> str:
    marks = match.group()
    indent = len(marks) - len(marks.lstrip())
    return f"{marks[:indent]}\\{marks[indent:]}"
