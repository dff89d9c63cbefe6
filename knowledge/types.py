"""The values of `knowledge`: collections, sources, snippets and hits. Frozen; they know no store."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing a snippet tells of."""

    PHENOMENON = "phenomenon"
    ARTEFACT = "artefact"
    TECHNIQUE = "technique"
    PRACTICE = "practice"
    TREND = "trend"
    EVENT = "event"
    NOTE = "note"  # whatever a person ingested without saying what it is


class Distance(StrEnum):
    """The dial of a retrieval: how far from the query its hits may lie."""

    NEAR = "near"
    MIXED = "mixed"
    FAR = "far"


class Band(StrEnum):
    """Where one hit lies from the query."""

    NEAR = "near"
    MIDDLE = "middle"
    FAR = "far"


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of sources that are searched together. It belongs to one space: the wall that nothing crosses."""

    id: int
    space: str
    name: str


@dataclass(frozen=True, slots=True)
class Source:
    """One ingested document, feed or channel."""

    id: int
    collection_id: int
    kind: str
    address: str
    title: str
    added_at: str  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class Draft:
    """A snippet as a reader yields it, before the store gave it an id.

    `date` is ISO 8601 of whatever precision is known ("1957", "2024-03", "2024-03-09"), or None. A collection holds the
    same words once, unless `apart` differs: messages of a channel stand each for itself, for each is deleted by itself
    and seen by its own readers.
    """

    title: str
    text: str
    kind: Kind = Kind.NOTE
    topics: tuple[str, ...] = ()
    date: str | None = None
    author: str | None = None
    address: str | None = None
    licence: str | None = None
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Snippet:
    """The unit of retrieval: something short and concrete, with where it came from."""

    id: int
    collection_id: int
    source_id: int
    title: str
    text: str
    kind: Kind
    topics: tuple[str, ...]
    date: str | None
    author: str | None
    address: str | None
    licence: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A snippet with why it was found.

    `score` orders hits (fused, larger is better); `similarity` is the cosine to the query in [-1, 1]; `band` is where
    it lies; `why` is a short phrase for people ("shares the word 'harbour'", "remotely related").
    """

    snippet: Snippet
    score: float
    similarity: float
    band: Band
    why: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What a hit must satisfy; empty is no condition. `since` and `until` are inclusive ISO 8601 dates.

    `without_sources` are ids of sources whose snippets are not looked at: those that whoever asks may not see.
    """

    kinds: frozenset[Kind] = field(default_factory=frozenset)
    topics: frozenset[str] = field(default_factory=frozenset)
    since: str | None = None
    until: str | None = None
    without_sources: frozenset[int] = field(default_factory=frozenset)
