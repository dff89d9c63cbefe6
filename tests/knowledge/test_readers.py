"""All readers: whatever bytes they are given, they end, raise nothing but ReadError, and keep the limits of a draft."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import ReadError
from knowledge.readers import SUFFIXES, Refusal, base, read, reader_for
from knowledge.types import Draft

NAMES = ["notes.txt", "notes.md", "notes.csv", "notes.jsonl", "notes.pdf", "notes"]


def taken(data: bytes, name: str) -> tuple[list[Draft], list[Refusal], str]:
    """What reading gave before it ended, and the message of the ReadError that ended it, if one did."""
    drafts: list[Draft] = []
    refusals: list[Refusal] = []
    try:
        for item in read(io.BytesIO(data), name):
            if isinstance(item, Draft):
                drafts.append(item)
            elif isinstance(item, Refusal):
                refusals.append(item)
    except ReadError as error:
        return drafts, refusals, str(error)
    return drafts, refusals, ""


def assert_well_formed(drafts: list[Draft], refusals: list[Refusal], message: str) -> None:
    for draft in drafts:
        assert 0 < len(draft.title) <= base.TITLE_CHARACTERS
        assert 0 < len(draft.text) <= base.TEXT_CHARACTERS
        assert len(draft.topics) <= base.TOPICS
        assert all(0 < len(topic) <= base.TOPIC_CHARACTERS for topic in draft.topics)
        assert len(draft.author or "") <= base.AUTHOR_CHARACTERS
        assert len(draft.address or "") <= base.ADDRESS_CHARACTERS
        assert len(draft.licence or "") <= base.LICENCE_CHARACTERS
        for text in (draft.title, draft.text, *draft.topics, draft.author, draft.address, draft.licence, draft.date):
            for character in text or "":
                assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
                assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    for line in [message, *(f"{refusal.where} {refusal.why}" for refusal in refusals)]:
        assert "\n" not in line
        assert len(line) < 400


# Pieces that the formats are made of, so that arbitrary combinations reach their odd corners.
PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *("\n", "\n\n", "\r\n", "\r", "\0", "\t", " ", "  - ", "* ", "1. ", "# ", "## ", "---\n", "...\n", "```\n"),
            *(
                "> ",
                "|",
                "[a](https://a.example/b)",
                "![",
                "<!-- ",
                "-->",
                "<b>",
                "[[x|y]]",
                "[^1]",
                "&amp;",
                "\\",
                "~~",
            ),
            *(
                '"',
                '""',
                ",",
                ";",
                "text,title\n",
                "text;tags;year\n",
                '{"text": "',
                '"}',
                '{"title": 1, ',
                "[[[[",
                "null",
            ),
            *("title: ", "tags: [a, b]\n", "date: 2024-03-09\n", "&a ", "*a ", "\u202e", "\ufeff", "\ud800", "\ufb01"),
            *("A sentence of some length stands here. ", "Birds", "https://a.example", "%PDF-1.7\n", "obj", "stream\n"),
            *("Book (Author)\n- Your Note on page 3\n\n", "==========\n"),
        ]
    ),
)


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=400), name=st.sampled_from(NAMES))
def test_any_bytes(data: bytes, name: str) -> None:
    assert_well_formed(*taken(data, name))


@settings(deadline=None, max_examples=250)
@given(
    pieces=st.lists(PIECES, max_size=40),
    name=st.sampled_from(NAMES),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"]),
)
def test_any_text(pieces: list[str], name: str, encoding: str) -> None:
    errors = "replace" if encoding == "cp1252" else "surrogatepass"
    assert_well_formed(*taken("".join(pieces).encode(encoding, errors), name))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["text", "Title", "kind", "topics", "tags", "year", "date", "author", "source", "licence", "x"]
)


@settings(deadline=None, max_examples=80)
@given(records=st.lists(st.dictionaries(FIELDS, JSON_VALUES, max_size=6) | JSON_VALUES, min_size=1, max_size=5))
def test_any_json(records: list[object]) -> None:
    lines = "\n".join(json.dumps(record) for record in records)
    assert_well_formed(*taken(lines.encode(), "records.jsonl"))


@pytest.mark.parametrize(
    "data",
    [
        b"." * 200_000,
        b"word " * 40_000,
        "漢字。".encode() * 20_000,
        ("a" + "\u0301" * 100_000).encode(),
        b"![" * 10_000,
        b"> " * 50_000,
        b"[" * 20_000,
        b'{"a":' * 50_000,
        b'"' * 100_001,
        b'text\n"' + b"never closed\n" * 12_000,
        b"|a" * 5_000 + b"\n" + b"|-" * 5_000,
        b"%PDF-1.7\n" + b"<<" * 50_000,
        b"---\na: " + b"[" * 3_000 + b"\n---\n",
        b"---\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ntags: *c\n---\nBillions of laughs are not heard here.",
    ],
    ids=lambda data: f"{data[:8]!r}x{len(data)}",
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_made_to_hurt(data: bytes, name: str) -> None:
    assert_well_formed(*taken(data, name))


@pytest.mark.parametrize(
    ("data", "name", "format"),
    [
        (b"Some words.", "a.txt", "text"),
        (b"# Words", "a.MD", "Markdown"),
        (b"text\nwords", "a.csv", "CSV"),
        (b"text\twords", "a.tsv", "CSV"),
        (b"{}", "a.ndjson", "JSON Lines"),
        (b"%PDF-1.4 ...", "a.pdf", "PDF"),
        (b"%PDF-1.4 ...", "misnamed.txt", "PDF"),
        (b"Some words.", "README", "text"),
        (b"# Birds\n\nWords.", "README", "Markdown"),
        (b"---\ntitle: Birds\n---\nWords.", "README", "Markdown"),
        (b'{"text": "words"}\n', "export", "JSON Lines"),
        (b'{\n  "text": "words"\n}', "export", "JSON"),
        (b'[{"text": "words"}]', "export", "JSON"),
        (b'{"text": "words"}\n{"text": "more"}\n', "a.json", "JSON Lines"),
        (b'{"text": "words"}', "a.json", "JSON"),
        (b"<!DOCTYPE html><html><p>Words", "page", "HTML"),
        (b"Words", "a.htm", "HTML"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<rss/>", "a.xml", "RSS or Atom"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'/>", "a.txt", "RSS or Atom"),
        (b"<?xml version='1.0'?><opml/>", "export", "OPML"),
        (b"PK\x03\x04" + b"\0" * 26 + b"mimetypeapplication/epub+zip", "book", "EPUB"),
        (b"title;text\na;b\n", "export", "CSV"),
        (b"Text, as they say, is cheap.\n", "export", "text"),
    ],
)
def test_the_reader_is_found_by_mark_suffix_or_beginning(data: bytes, name: str, format: str) -> None:
    assert reader_for(io.BytesIO(data), name).format == format


def test_no_two_readers_claim_one_suffix() -> None:
    assert len(SUFFIXES) == sum(len(reader.suffixes) for reader in set(SUFFIXES.values()))


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (b"", "a.txt", "holds no text"),
        (b"\n \n\n", "a.md", "holds no text"),
        (bytes(range(256)) * 20, "a.txt", "looks binary"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0", "a.csv", "looks binary"),
        (b"PK\x03\x04\x14\0\0\0\x08\0" * 9, "report.docx", "looks binary"),
        ("Съешь же ещё этих мягких булок".encode("cp1251"), "a.txt", "save it as UTF-8"),
        (b"<?xml version='1.0'?><svg><text>Words</text></svg>", "page", "XML of an unknown kind"),
        (b"{\\rtf1\\ansi Words}", "letter", "word processor"),
        (b'{\n  "text": "words",\n}', "data", "is not valid JSON"),
    ],
)
def test_what_cannot_be_read_says_why_in_one_line(data: bytes, name: str, why: str) -> None:
    drafts, refusals, message = taken(data, name)
    assert (drafts, refusals) == ([], [])
    assert why in message


def test_a_file_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.readers.MAX_FILE_BYTES", 1000)
    assert taken(b"Words enough for a note. " * 41, "a.txt")[2].startswith("is larger than")


def test_reading_stops_at_the_limit_of_records_and_keeps_what_it_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.readers.MAX_RECORDS", 3)
    drafts, _, message = taken(b'"one word"\n"two words"\n"three words"\n"four words"\n', "a.jsonl")
    assert [draft.text for draft in drafts] == ["one word", "two words", "three words"]
    assert "more than 3 snippets" in message


def test_a_file_that_is_refused_line_by_line_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.readers.MAX_REFUSALS_ALONE", 5)
    drafts, refusals, message = taken(b"no json\n" * 100, "a.jsonl")
    assert (len(drafts), len(refusals)) == (0, 5)
    assert message == "is not read as JSON Lines: its first 5 parts were all refused"


def test_the_stream_is_left_open() -> None:
    stream = io.BytesIO(b"A heron stands in the mill race every morning at six.")
    assert len(list(read(stream, "a.txt"))) == 1
    assert not stream.closed
