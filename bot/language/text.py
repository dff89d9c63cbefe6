"""From tokens to text that can be shown at once: whole characters only, and never a piece of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HALF = "\ufffd"  # what a decoder writes for bytes that are no character (yet)


class TextStream:
    """The text of one growing sequence of tokens, in pieces that add up to the text of the whole.

    A token can end in the middle of a character (byte-level vocabularies) and can mean different text at the start of a
    sentence than inside it (SentencePiece drops a leading space). So text is always decoded together with the tokens of
    the piece before it, and held back while its last character is incomplete.
    """

    def __init__(self, decode: Callable[[list[int]], str], stop: Sequence[str] = ()) -> None:
        """`decode` turns tokens into text, without special tokens. The text ends where one of `stop` would begin."""
        self._decode = decode
        self._stop = tuple(filter(None, stop))
        self._tokens: list[int] = []
        self._context = 0  # the tokens from here to `_told` were told last: they give the next ones their context
        self._told = 0
        self._held = ""  # whole characters that may yet turn out to begin a stop string
        self.stopped = False

    def push(self, token: int) -> str:
        """Add a token; return the text that can be told now (often ""). A complete stop string sets `stopped`."""
        if self.stopped:
            return ""
        self._tokens.append(token)
        context = self._decode(self._tokens[self._context : self._told])
        text = self._decode(self._tokens[self._context :])
        if len(text) <= len(context) or text.endswith(_HALF):
            return ""
        self._context, self._told = self._told, len(self._tokens)
        return self._release(self._held + text[len(context) :])

    def finish(self) -> str:
        """What was held back and is text after all. Half a character at the very end is dropped."""
        if self.stopped:
            return ""
        context = self._decode(self._tokens[self._context : self._told])
        text = self._decode(self._tokens[self._context :])[len(context) :].rstrip(_HALF)
        rest = self._release(self._held + text)
        rest, self._held = rest + self._held, ""
        return rest

    def _release(self, text: str) -> str:
        """The part of `text` that no stop string can claim. The rest is held, or dropped if a stop string is there."""
        starts = [at for at in (text.find(stop) for stop in self._stop) if at >= 0]
        if starts:
            self.stopped, self._held = True, ""
            return text[: min(starts)]
        held = max((_overlap(text, stop) for stop in self._stop), default=0)
        cut = len(text) - held
        self._held = text[cut:]
        return text[:cut]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
