"""The seam of the readers: what a reader is, what it yields, and the limits that all of them keep.

A reader turns one open document into drafts, lazily. It knows nothing of folders, of the store or of embedders, and it
never looks at anything but the stream it was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from knowledge.types import Draft

# Limits. They are far above what people keep in one document, and low enough that no file can exhaust memory.
MAX_FILE_BYTES = 256 * 1024 * 1024  # every reader streams, so this bounds time: a minute or two of reading
MAX_RECORDS = 50_000  # drafts and refusals of one file: some twenty minutes of embedding on two cores
MAX_LISTED = 500  # feeds that one list of them may name
MAX_REFUSALS_ALONE = 1_000  # refusals of one file before its first draft: it is not the format it claims to be

# The shape of a draft. The default embedder reads 256 tokens, about 1,000 characters: what lies beyond is not searched.
TITLE_CHARACTERS = 120
TEXT_CHARACTERS = 1_000
TOPICS = 12
TOPIC_CHARACTERS = 40
AUTHOR_CHARACTERS = 120
ADDRESS_CHARACTERS = 500
LICENCE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a document that could not be taken in, while the rest could.

    `where` places it in the document ("line 12", "page 3"), `why` is one line for the person who gave the file.
    """

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A feed that a document lists, to be followed: its address, and what the list calls it, "" if nothing."""

    address: str
    title: str


class Reader(Protocol):
    """Reads one format."""

    @property
    def format(self) -> str:
        """The format's name as people write it: "text", "Markdown", "CSV", "JSON Lines", "PDF", ..."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """File name suffixes that mean this format: lower case, with the dot."""
        ...

    def read(self, stream: BinaryIO, name: str) -> Iterator[Draft | Refusal | Listed]:
        """Yield the document's drafts in its own order, and a refusal for each part that could not be read.

        A list of feeds yields those, too.

        stream: seekable, at its beginning; read as the iterator advances, and left open.
        name: what the document is called ("notes/birds.md") or its address on the web, for addresses within it.

        A draft without an address of its own (a link, a page) leaves it None. Every draft keeps the limits above, and
        its text and title are single lines free of control characters.

        Raises ReadError when the document cannot be read at all or not to its end; what was yielded before stands.
        """
        ...
