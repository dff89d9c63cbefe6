"""JSON Lines: one object, or one string, a line. The starter collection's own format.

https://jsonlines.org; the keys are matched leniently, see `fields`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

from knowledge.readers.base import Refusal
from knowledge.readers.decoding import whole_lines
from knowledge.readers.fields import drafts_of
from knowledge.types import Draft

LINE_CHARACTERS = 1_000_000


class JsonLinesReader:
    """Reads JSON Lines."""

    format = "JSON Lines"
    suffixes = frozenset({".jsonl", ".ndjson", ".jsonlines"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        for number, line in whole_lines(stream, LINE_CHARACTERS):
            where = f"line {number}"
            if line is None:
                yield Refusal(where, f"is longer than {LINE_CHARACTERS:,} characters")
            elif line.strip():
                yield from _record(line, where)


def _record(line: str, where: str) -> Iterator[Draft | Refusal]:
    try:
        value = json.loads(line.strip())
    except RecursionError:
        yield Refusal(where, "is nested too deeply")
    except json.JSONDecodeError as error:
        yield Refusal(where, f"is not valid JSON: {error.msg.removesuffix(' at')}, column {error.colno}")
    except ValueError:
        yield Refusal(where, "holds a number of too many digits")
    else:
        if isinstance(value, str):
            value = {"text": value}
        if isinstance(value, dict):
            yield from drafts_of(value, where)
        else:
            yield Refusal(where, 'is not an object: each line should be like {"title": "...", "text": "..."}')
