"""From tokens to text that can be shown at once: whole characters only, and never a piece of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HALF = "\ufffd"  # what a decoder writes for bytes that are no character (yet)


class StopFilter:
    """Lets streamed text through up to where the first stop string begins."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(filter(None, stop))
        self._held = ""  # text that may yet turn out to begin a stop string
        self.stopped = False

    def push(self, text: str) -> str:
        """Add text; return what no stop string can claim any more. A complete stop string sets `stopped`."""
        if self.stopped:
            return ""
        text = self._held + text
        starts = [at for at in (text.find(stop) for stop in self._stop) if at >= 0]
        if starts:
            self.stopped, self._held = True, ""
            return text[: min(starts)]
        cut = len(text) - max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[cut:]
        return text[:cut]

    def finish(self) -> str:
        """No more comes: what was held is text after all."""
        held, self._held = self._held, ""
        return held


class TextStream:
    """The text of one growing sequence of tokens, in pieces that add up to the text of the whole.

    A token can end in the middle of a character (byte-level vocabularies) and can mean different text at the start of a
    sentence than inside it (SentencePiece drops a leading space). So text is always decoded together with the tokens of
    the piece before it, and held back while its last character is incomplete.
    """

    def __init__(self, decode: Callable[[list[int]], str], stop: Sequence[str] = ()) -> None:
        """`decode` turns tokens into text, without special tokens. The text ends where one of `stop` would begin."""
        self._decode = decode
        self._filter = StopFilter(stop)
        self._tokens: list[int] = []
        self._context = 0  # the tokens from here to `_told` were told last: they give the next ones their context
        self._told = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string has come."""
        return self._filter.stopped

    def push(self, token: int) -> str:
        """Add a token; return the text that can be told now (often "")."""
        self._tokens.append(token)
        text = self._untold()
        if not text or text.endswith(_HALF):
            return ""
        self._context, self._told = self._told, len(self._tokens)
        return self._filter.push(text)

    def finish(self) -> str:
        """What was held back and is text after all. Half a character at the very end is dropped."""
        return self._filter.push(self._untold().rstrip(_HALF)) + self._filter.finish()

    def _untold(self) -> str:
        context = self._decode(self._tokens[self._context : self._told])
        return self._decode(self._tokens[self._context :])[len(context) :]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`, but not all of it."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
