"""From bytes to clean characters: which encoding a document is in, its lines in bounded pieces, and what text may hold.

Knows nothing of formats. Nothing here guesses wildly: Unicode, then Western 8-bit text where it plainly is that, and a
refusal otherwise, because a library full of "cafÃ©" is worse than a file that asks to be saved as UTF-8.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import ADDRESS_CHARACTERS

SNIFF_BYTES = 64 * 1024
LINE_CHARACTERS = 8 * 1024  # of the pieces that overlong lines are cut into; also bounds the cost of normalising one

_SAVE_AS_UTF8 = "its encoding could not be told: save it as UTF-8 and try again"
_BINARY = "looks binary: Kindling reads text, Markdown, CSV, JSON, PDF, EPUB, HTML and feeds"

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# What text does not hold, white space and the escape and end-of-file marks of old terminals apart.
_CONTROL_BYTES = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1a\x1b") + b"\x7f"

# Control characters; soft hyphens; zero-width spaces; marks and overrides of writing direction, which can make a text
# show other words than it holds; byte order marks; tag characters, which no reader sees but a language model does; lone
# surrogates, which no encoder takes. The joiners U+200C and U+200D stay: emoji, Persian and Indic scripts need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
# More than four accents on one letter is decoration that runs over its neighbours' lines, and slow to normalise.
_STACKED_ACCENTS = re.compile("([\u0300-\u036f]{4})[\u0300-\u036f]+")


def clean(text: str) -> str:
    """`text` as one line: composed (NFC), without control and invisible characters, white space made single spaces."""
    visible = _INVISIBLE.sub("", text)
    if not visible.isascii():
        visible = unicodedata.normalize("NFC", _STACKED_ACCENTS.sub(r"\1", visible))
    return " ".join(visible.split())


def shorten(text: str, limit: int) -> str:
    """`text` cleaned and, if longer than `limit` characters, cut at a word's end and closed with an ellipsis."""
    text = clean(text[: 4 * limit])
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    words = cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut
    return words.rstrip(" ,;:-–—") + "…"


def address_of(text: str) -> str | None:
    """`text` as an address: clean, whole or, past ADDRESS_CHARACTERS, not at all (half an address leads nowhere)."""
    address = clean(text[: 2 * ADDRESS_CHARACTERS])
    return address if 0 < len(address) <= ADDRESS_CHARACTERS else None


def looks_binary(head: bytes) -> bool:
    """Whether the first bytes of a document hold too many control bytes for text in any encoding without a mark."""
    if any(head.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS):
        return False
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return controls > max(2, len(head) // 50)  # one or two strays happen in damaged text


def encoding_of(stream: BinaryIO) -> str:
    """The encoding to decode `stream` with. Reads it through once in small pieces and returns to its beginning.

    Raises ReadError when the document looks binary or its encoding cannot be told.
    """
    stream.seek(0)
    head = stream.read(SNIFF_BYTES)
    stream.seek(0)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    if looks_binary(head):
        raise ReadError(_BINARY)
    good, bad = _weigh_utf8(stream)
    stream.seek(0)
    # A UTF-8 document with a damaged spot stays UTF-8: one broken byte must not turn all its accents into noise.
    if not bad or good > 2 * bad:
        return "utf-8"
    if not _plausibly_western(head):
        raise ReadError(_SAVE_AS_UTF8)
    return "cp1252"


def _weigh_utf8(stream: BinaryIO) -> tuple[int, int]:
    """How many characters beyond ASCII decode as UTF-8, and how many places do not."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    good = bad = 0
    while piece := stream.read(SNIFF_BYTES):
        text = decoder.decode(piece)
        if not text.isascii():
            broken = text.count("\ufffd")
            bad += broken
            good += len(text) - len(text.encode("ascii", "ignore")) - broken
    bad += decoder.decode(b"", final=True).count("\ufffd")
    return good, bad


def _plausibly_western(head: bytes) -> bool:
    """Whether bytes that are not UTF-8 read as Western European text: some accented letters among many plain ones."""
    text = head.decode("cp1252", errors="replace")
    beyond = [character for character in text if not character.isascii()]
    letters = sum(character.isalpha() for character in text)
    accented = sum(character.isalpha() for character in beyond)
    undefined = text.count("\ufffd")
    return undefined == 0 and accented <= max(2, 0.3 * letters) and len(beyond) <= max(4, 0.3 * len(text))


def numbered_lines(stream: BinaryIO, limit: int = LINE_CHARACTERS) -> Iterator[tuple[int, str]]:
    """The lines of a text document with their numbers from 1, line ends kept as "\\n" (CR and CRLF become that).

    A line longer than `limit` characters comes in pieces that share its number; only the last of them ends with "\\n".
    Bytes that do not decode become U+FFFD.

    Raises ReadError when the document looks binary or its encoding cannot be told.
    """
    decoded = io.TextIOWrapper(stream, encoding=encoding_of(stream), errors="replace")
    try:
        number = 1
        while piece := decoded.readline(limit):
            yield number, piece
            number += piece.endswith("\n")
    finally:
        # Or the wrapper would close a stream that is not ours. A stream that its owner closed first cannot be detached.
        with suppress(ValueError):
            decoded.detach()


def whole_lines(stream: BinaryIO, limit: int) -> Iterator[tuple[int, str | None]]:
    """As `numbered_lines`, but a line longer than `limit` characters comes once, as None, and is skipped."""
    skipping = False
    for number, piece in numbered_lines(stream, limit):
        complete = len(piece) < limit or piece.endswith("\n")
        if not skipping:
            yield number, piece if complete else None
        skipping = not complete
