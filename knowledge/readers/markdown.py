"""Markdown: headings give titles, front matter describes, code and HTML are left out, links give addresses.

Parsed by markdown-it-py (CommonMark, tables, strikethrough). Front matter is YAML between lines of three dashes, as
static site generators and note-taking programs write it; of the latter's own marks the common ones are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.base import Refusal
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import clean, encoding_of
from knowledge.readers.fields import described, field_of
from knowledge.readers.passages import passages
from knowledge.types import Draft

if TYPE_CHECKING:
    from markdown_it.token import Token

DOCUMENT_BYTES = 2 * 1024 * 1024  # a long novel; the parser holds all of it, about 50 times its size in memory
FRONT_MATTER_CHARACTERS = 8 * 1024
FRONT_MATTER_BRACKETS = 200  # the YAML scanner takes time with the square of those that are open

_FRONT_MATTER = re.compile(
    r"\s*?---[ \t]*\n(?=[ \t#]*[\w\"'][^\n:]*:)(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE
)
_OWN_MARKS = (  # of note-taking programs; CommonMark takes them for text
    (re.compile(r"%%.*?%%"), ""),  # a comment
    (re.compile(r"!\[\[[^\[\]\n]{1,300}\]\]"), ""),  # an embedded file
    (re.compile(r"\[\[(?:[^\[\]|\n]{1,300}\|)?([^\[\]|\n]{1,300})\]\]"), r"\1"),  # [[page]] and [[page|as shown]]
    (re.compile(r"\[\^[^\]\s]{1,40}\]:?"), ""),  # a footnote's mark
    (re.compile(r"^\[[ xX]\]\s+"), ""),  # a task's box
    (re.compile(r"^\[![a-zA-Z]{1,20}\][+-]?\s*"), ""),  # a callout's kind
)
_WEB_ADDRESS = re.compile(r"https?://\S+\Z")


@dataclass(frozen=True, slots=True)
class _Inline:
    """The visible text of a paragraph, heading or cell, and the addresses of its links."""

    text: str
    links: tuple[str, ...]


class MarkdownReader:
    """Reads Markdown."""

    format = "Markdown"
    suffixes = frozenset({".md", ".markdown", ".mdown", ".mkd"})

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal]:
        del name
        text = _whole_text(stream)
        about: Mapping[str, object] = {}
        if match := _FRONT_MATTER.match(text[:FRONT_MATTER_CHARACTERS]):
            read = _front_matter(match[1])
            if read is None:
                yield Refusal("front matter", "is not valid YAML: what it says of the document is left out")
            about, text = read or {}, text[match.end() :]
        title = next(
            (clean(value) for key, value in about.items() if field_of(key) == "title" and isinstance(value, str)), ""
        )
        for passage in passages(_blocks(_parsed(text), (title,) if title else ())):
            draft = described(Draft(title=passage.title, text=passage.text), about)
            yield replace(draft, address=passage.address or draft.address)


def _whole_text(stream: BinaryIO) -> str:
    encoding = encoding_of(stream)
    data = stream.read(DOCUMENT_BYTES + 1)
    if len(data) > DOCUMENT_BYTES:
        raise ReadError(f"is larger than {DOCUMENT_BYTES // 2**20} MB, too large for Markdown: split it")
    return data.decode(encoding, errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _front_matter(source: str) -> Mapping[str, object] | None:
    """What the front matter says, every scalar as it was written; None if it is not a YAML mapping."""
    import yaml  # type: ignore[import-untyped]

    if source.count("[") + source.count("{") > FRONT_MATTER_BRACKETS:
        return None
    try:
        # BaseLoader makes nothing but strings, lists and dictionaries: dates keep the precision they were written with.
        value = yaml.load(source, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return {key: item for key, item in value.items() if isinstance(key, str)} if isinstance(value, dict) else None


def _parsed(text: str) -> Sequence[Token]:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    try:
        return parser.parse(text)
    except RecursionError as error:
        raise ReadError("is nested too deeply to be read as Markdown") from error


def _blocks(tokens: Iterable[Token], titles: tuple[str, ...]) -> Iterator[Block]:
    """Paragraphs, list items and table rows, each under the path of headings above it. `titles` begins every path."""
    path: list[tuple[int, str]] = [(0, title) for title in titles]
    level = 0  # of the heading that is open; 0 for none
    row: list[_Inline] | None = None  # the cells of the table row that is open
    is_header = False
    items = 0  # how many list items are open, one within another
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag.removeprefix("h"))
        elif token.type == "heading_close":
            level = 0
        elif token.type in ("list_item_open", "list_item_close"):
            items += token.nesting
        elif token.type == "tr_open":
            row, is_header = [], False
        elif token.type == "th_open":
            is_header = True
        elif token.type == "tr_close":
            if row and not is_header:
                yield _block(row, path, is_item=True)
            row = None
        elif token.type == "inline":
            inline = _inline(token.children or ())
            if level:
                path = _extended(path, level, inline.text)
            elif row is not None:
                row.append(inline)
            elif inline.text:
                yield _block([inline], path, is_item=items > 0)


def _extended(path: list[tuple[int, str]], level: int, heading: str) -> list[tuple[int, str]]:
    above = [(outer, text) for outer, text in path if outer < level]
    repeated = above and above[-1][1] == heading  # the first heading often repeats the front matter's title
    return above if repeated or not heading else [*above, (level, heading)]


def _block(parts: Sequence[_Inline], path: Sequence[tuple[int, str]], is_item: bool) -> Block:
    text = " — ".join(part.text for part in parts if part.text)
    links = [link for part in parts for link in part.links]
    return Block.of(text, tuple(heading for _, heading in path), links, is_item)


def _inline(tokens: Iterable[Token]) -> _Inline:
    pieces: list[str] = []
    links: list[str] = []
    for token in tokens:
        if token.type in ("text", "code_inline"):
            pieces.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            pieces.append(" ")
        elif token.type == "link_open" and _WEB_ADDRESS.match(address := str(token.attrs.get("href", ""))):
            links.append(address)
    text = "".join(pieces)
    for pattern, replacement in _OWN_MARKS:
        text = pattern.sub(replacement, text)
    return _Inline(clean(text), tuple(links))
