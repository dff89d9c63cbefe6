"""CSV with a header row: delimiter and columns are told from the header, rows become drafts.

RFC 4180, and what spreadsheets and reading apps make of it: semicolons, tabs, a "sep=" line, short rows.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import Refusal
from knowledge.readers.decoding import shorten, whole_lines
from knowledge.readers.fields import TEXT_NAMES, drafts_of, field_of
from knowledge.types import Draft

RECORD_CHARACTERS = 128 * 1024  # of one row; no more is read ahead for the closing quote of a field
DELIMITERS = ",;\t|"


class CsvReader:
    """Reads delimited tables."""

    format = "CSV"
    suffixes = frozenset({".csv", ".tsv", ".tab"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        lines = whole_lines(stream, RECORD_CHARACTERS)
        header = next((line or "" for _, line in lines if line is None or _is_header(line)), "")
        delimiter, columns = header_of(header)
        for row in _rows(lines, delimiter):
            if isinstance(row, Refusal):
                yield row
            else:
                number, values = row
                yield from _row_drafts(columns, values, f"line {number}")


def header_of(line: str) -> tuple[str, list[str]]:
    """The delimiter and the column names of a header line: those that make most sense of it.

    Raises ReadError when no column holds what Kindling could read as text.
    """
    readings = []
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([line.replace("\0", "")], delimiter=delimiter), [])
        except csv.Error:
            continue
        known = {field_of(name) for name in names} - {None}
        readings.append(("text" in known, len(known), len(names), delimiter, names))
    best = max(readings, key=lambda reading: reading[:3], default=None)
    if best is None or not best[0]:
        found = ", ".join(shorten(column, 30) for column in best[4][:8]) if best else ""
        raise ReadError(
            f"has no column of text: Kindling looked for {TEXT_NAMES} and the like in its first line and found "
            f"{found or 'nothing'}"
        )
    return best[3], best[4]


def _is_header(line: str) -> bool:
    return bool(line.strip(" \r\n\t,;|\0")) and not line.startswith("sep=")


def _row_drafts(columns: list[str], values: list[str], where: str) -> Iterator[Draft | Refusal]:
    if not any(value.strip() for value in values):
        return
    if any(value.strip() for value in values[len(columns) :]):
        yield Refusal(where, f"has {len(values)} fields where the header has {len(columns)}: is a quote missing?")
        return
    yield from drafts_of(dict(zip(columns, values, strict=False)), where)


def _rows(lines: Iterator[tuple[int, str | None]], delimiter: str) -> Iterator[tuple[int, list[str]] | Refusal]:
    """Each row with the number of its first line, or a refusal.

    A row may span lines, so a quote that is never closed would swallow all that follows. A row that cannot be read
    therefore costs its first line only: reading goes on with its second.
    """
    again: deque[tuple[int, str | None]] = deque()
    while True:
        taken: list[tuple[int, str | None]] = []
        try:
            values = next(csv.reader(_feed(again, lines, taken), delimiter=delimiter, strict=True), None)
        except csv.Error as error:
            yield Refusal(f"line {taken[0][0]}", _explained(error))
            again.extendleft(reversed(taken[1:]))
            continue
        if values is not None:
            yield taken[0][0], values
        elif taken:
            yield Refusal(f"line {taken[0][0]}", f"is longer than {RECORD_CHARACTERS:,} characters")
        else:
            return


def _feed(
    again: deque[tuple[int, str | None]], lines: Iterator[tuple[int, str | None]], taken: list[tuple[int, str | None]]
) -> Iterator[str]:
    """Lines for one row, those to read again first; notes in `taken` what it gave. Ends where no row can go on."""
    size = 0
    while size <= RECORD_CHARACTERS:
        line = again.popleft() if again else next(lines, None)
        if line is None:
            return
        taken.append(line)
        if line[1] is None:
            return
        size += len(line[1])
        yield line[1].replace("\0", "")


def _explained(error: csv.Error) -> str:
    message = str(error)
    if "unexpected end" in message:
        return "opens a quote that is not closed"
    if "expected after" in message:
        return "goes on after a closing quote: a quote within a text is written twice"
    if "field limit" in message:
        return f"has a field of more than {csv.field_size_limit():,} characters"
    return f"is not valid CSV: {shorten(message, 80)}"
