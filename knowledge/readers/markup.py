"""What XML and HTML share: decoding, trees without surprises, and the flow of text in a tree.

Nothing is ever expanded or fetched: a document that declares entities of its own is refused (that is how a kilobyte
becomes a gigabyte), external ones are never looked for, and libxml2 keeps its limits on depth and size. Text only comes
out of here, never markup.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5
from typing import TYPE_CHECKING, Any, BinaryIO

from knowledge.errors import ReadError
from knowledge.readers.blocks import Block
from knowledge.readers.decoding import clean, encoding_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]{1,40})["']|<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4_096
_SAFE_ENCODINGS = re.compile(
    r"utf-?_?(?:8|16|32)(?:-?_?[bl]e)?|ascii|iso-?_?8859-\d{1,2}|cp\d{3,4}|windows-\d{4}|koi8-[rut]|mac-?_?roman|shift_?-?jis"
    r"|euc_?-?(?:jp|kr)|iso-?_?2022_?-?jp|gb(?:2312|k|18030)|big5|tis-620",
    re.IGNORECASE,
)
_PROLOG = re.compile(r"\A\s*<\?xml[^>]{0,1000}\?>", re.IGNORECASE)
_ENTITY = re.compile(r"<!ENTITY\b", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:([A-Za-z][A-Za-z0-9]{1,31});|(?!#[0-9]{1,8};|#[xX][0-9a-fA-F]{1,6};))")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_OF_XML = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME = re.compile(r"<(?:[\w-]{1,40}:)?([A-Za-z][\w-]{0,40})")
_SOLID = re.compile(r"\S")
_BEFORE_ROOT = (("<?", "?>"), ("<!--", "-->"), ("<!", ">"))

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SKIPPED = frozenset(
    "head script style template noscript svg math iframe object embed canvas form button select textarea nav audio "
    "video rt rp".split()
)
_ITEMS = frozenset({"li", "dt", "dd", "tr", "item", "row"})
_APART = (
    frozenset(
        "p div section article main aside header footer blockquote pre ul ol dl table figure figcaption hr body html "
        "address details summary caption center list quote td th".split()
    )
    | _ITEMS
    | set(_HEADINGS)
)


def markup_text(stream: BinaryIO, limit: int, what: str) -> str:
    """A document in XML or HTML, as text without a byte order mark and without what no such document may hold.

    limit: bytes. what: "a feed", for the message.

    Raises ReadError when it is longer, looks binary, or its encoding cannot be told.
    """
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise ReadError(f"is larger than {limit // 2**20} MB, too large for {what}")
    stream.seek(0)
    text = data.decode(declared_encoding(data) or encoding_of(stream), "replace")
    return _ILLEGAL.sub("", text.removeprefix("\ufeff"))


def declared_encoding(head: bytes) -> str | None:
    """The encoding that a document in XML or HTML declares at its beginning, if it is one to trust."""
    if head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None  # the mark says more
    match = _DECLARED.search(head[:_DECLARED_WITHIN])
    name = (match[1] or match[2]).decode("ascii") if match else ""
    # That its declaration could be read means that it is no UTF-16 or UTF-32, whatever it says.
    if not _SAFE_ENCODINGS.fullmatch(name) or re.match(r"utf-?_?(?:16|32)", name, re.IGNORECASE):
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def root_name(beginning: str) -> str | None:
    """The name of the first element of a document in XML or HTML, lower case, without a prefix; None if it is neither.

    Looks at the document's beginning once, whatever stands there.
    """
    at = 1 if beginning.startswith("\ufeff") else 0
    while True:
        solid = _SOLID.search(beginning, at)
        if solid is None:
            return None
        at = solid.start()
        closing = next((end for start, end in _BEFORE_ROOT if beginning.startswith(start, at)), None)
        if closing is None:
            match = _NAME.match(beginning, at)
            return match[1].lower() if match else None
        inner = beginning.find("[", at, beginning.find(">", at)) if closing == ">" else -1
        end = beginning.find(closing, beginning.find("]", inner) if inner >= 0 else at)
        if end < 0:
            return None
        at = end + len(closing)


def xml_tree(text: str) -> _Element:
    """An XML document as a tree. One with small faults is read as far as it makes sense.

    Raises ReadError when it is no XML at all or declares entities.
    """
    from lxml import etree

    if _ENTITY.search(text):
        raise ReadError("declares entities of its own: such files are refused, because a small one can fill all memory")
    source = _mended(_PROLOG.sub("", text, count=1)).encode("utf-8", "replace")
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(source, parser)
    except (etree.LxmlError, ValueError) as error:
        raise ReadError("cannot be read as XML: it is damaged") from error
    if root is None:
        raise ReadError("cannot be read as XML: it is damaged")
    return root


def html_tree(text: str) -> _Element | None:
    """HTML as a tree; None when there is nothing in it. Any text will do."""
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, recover=True
    )
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser) if text.strip() else None
    except (etree.LxmlError, ValueError):
        return None


def _mended(text: str) -> str:
    """XML with the characters that HTML has names for, which XML does not know, as themselves, and with every lone
    ampersand escaped. Feeds hold both all the same."""
    parts: list[str] = []
    at = 0
    while True:
        start = text.find(_CDATA, at)
        parts.append(_REFERENCE.sub(_character, text[at : start if start >= 0 else len(text)]))
        end = text.find(_CDATA_END, start) if start >= 0 else -1
        if end < 0:
            parts.append(text[start:] if start >= 0 else "")
            return "".join(parts)
        at = end + len(_CDATA_END)
        parts.append(text[start:at])


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name is None:
        return "&amp;"
    return match[0] if name in _OF_XML else html5.get(f"{name};", f"&amp;{name};").replace("<", "&lt;")


def local_name(element: Any) -> str:
    """An element's name without its namespace, lower case."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that stands apart: level 1 to 6 for a heading, 0 for all else."""

    text: str
    level: int = 0
    is_item: bool = False


def pieces(root: _Element) -> Iterator[Piece]:
    """The text of a tree of HTML (or of trafilatura's own elements) in its order. Never markup."""
    from lxml import etree

    said: list[str] = []
    level, is_item = 0, False

    def piece() -> Iterator[Piece]:
        text = clean("".join(said))
        said.clear()
        if text:
            yield Piece(text, level, is_item)

    walk = etree.iterwalk(root, events=("start", "end"))
    skipped: Any = None
    for event, element in walk:
        name = local_name(element)
        if event == "start":
            if name in _SKIPPED or not name:
                walk.skip_subtree()
                skipped = element
                continue
            if name in _APART:
                yield from piece()
                level = _HEADINGS.get(name, 0)
                is_item = name in _ITEMS or (is_item and name in ("p", "div", "td", "th"))
            elif name in ("br", "lb", "img", "cell"):
                said.append(" ")
            said.append(element.text or "")
        else:
            if element is not skipped:
                if name in _APART:
                    yield from piece()
                    level = 0
                    is_item = is_item and name not in _ITEMS
            else:
                skipped = None
            if element is not root:
                said.append(element.tail or "")
    yield from piece()


def under_titles(found: Iterator[Piece], titles: tuple[str, ...] = ()) -> Iterator[Block]:
    """Pieces as blocks under the path of headings above them. `titles` begins every path."""
    path: list[tuple[int, str]] = []
    for piece in found:
        if piece.level:
            above = [(outer, text) for outer, text in path if outer < piece.level]
            repeated = (above[-1][1] if above else "") or (titles[-1] if titles else "")
            path = above if repeated == piece.text else [*above, (piece.level, piece.text)]
        else:
            yield Block(piece.text, (*titles, *(text for _, text in path)), None, piece.is_item)


def text_of(fragment: str) -> str:
    """A piece of HTML, or plain text, as one line of text."""
    if "<" not in fragment and "&" not in fragment:
        return clean(fragment)
    root = html_tree(f"<div>{_ILLEGAL.sub('', fragment)}</div>")
    return clean(" ".join(piece.text for piece in pieces(root))) if root is not None else ""
