# ruff: noqa: E501 (the documents read better on one line)
"""Every reader on documents that mean ill: each is refused or read, ends soon and needs little memory.

Damaged documents are made from sound ones of every format by seeded edits, so that a failure can be had again. By default
some 900; KINDLING_TEST_HOSTILE=20000 makes more. Time and memory are guarded by a process of its own, which
is killed by its limits and not by a clock of the test's.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from tests.knowledge.epubs import archive, epub
from tests.knowledge.pdfs import pdf
from tests.knowledge.test_readers import assert_well_formed, taken
from tests.web import article, feed

COUNT = int(os.environ.get("KINDLING_TEST_HOSTILE", "900"))
PARAGRAPH = "The harbour lights were first hung by fishermen who wanted to find their way home in the fog. "

SOUND: dict[str, bytes] = {
    "notes.txt": (PARAGRAPH * 3 + "\n\nCHAPTER\n\n- one item\n- another item\n").encode() * 3,
    "clippings.txt": b"Book (Author)\n- Your Highlight on page 3 | Added on 2 March 2024\n\nA passage of the book.\n==========\n" * 4,
    "notes.md": f"---\ntitle: Notes\ntags: [a, b]\n---\n# One\n\n{PARAGRAPH}\n\n| a | b |\n|---|---|\n| c | [d](https://d.example) |\n".encode(),
    "table.csv": f'title,text,tags\nOne,"{PARAGRAPH}","a;b"\nTwo,more words here,c\n'.encode() * 3,
    "lines.jsonl": json.dumps({"title": "One", "text": PARAGRAPH, "tags": ["a"]}).encode() + b'\n"words"\n' * 3,
    "export.json": json.dumps({"results": [{"title": "B", "highlights": [{"text": PARAGRAPH, "tags": [{"name": "x"}]}] * 3}]}).encode(),
    "paper.pdf": pdf([[PARAGRAPH[:60], PARAGRAPH[60:]] * 4, ["Second page of words"]], {"/Title": "Paper"}),
    "book.epub": epub([f"<h1>One</h1><p>{PARAGRAPH}</p>", f"<ul><li>{PARAGRAPH}</li></ul>"], "<title>Tides</title>"),
    "page.html": article("Lights", PARAGRAPH * 2, PARAGRAPH, head='<link rel="canonical" href="/x"><meta charset="utf-8">'),
    "feed.rss": feed("Feed", [("One", f"<p>{PARAGRAPH}</p>"), ("Two", f"<b>{PARAGRAPH}</b>")]),
    "feed.atom": b'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title type="html">x &lt;b&gt;y</title>'
    b'<link href="/p"/><updated>2025-01-02T00:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
    b"<p>Some words of text.</p></div></content></entry></feed>",
    "list.opml": b'<?xml version="1.0"?><opml version="2.0"><body><outline text="A"><outline text="F" xmlUrl="https://a.example/f"/>'
    b'<outline text="A note of some words" _note="and more"/></outline></body></opml>',
}  # fmt: skip

TOKENS = [
    *(b"<", b">", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"&#0;", b"&#x110000;", b"&nbsp;", b"&", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"<?xml version='1.0' encoding='utf-16'?>", b"<item>", b"</item>", b"<p>", b"</channel>"),
    *(b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b"1e999", b"NaN", b"\n", b"\r", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80"),
    *(b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", b"endobj", b"stream\n", b"<< /Length 99999999 >>", b"9" * 40, b"A" * 3000, b"=" * 10),
    *(b"https://", b"javascript:", b"\xd9\x84", b"\xcc\x81" * 50, b"<table>" * 50, b"<div>" * 300, b"xmlns:x='y'", b"<svg>", b"<outline "),
]  # fmt: skip


def _cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def _drop(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.randrange(1, 80)]


def _repeat(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    data[start:start] = data[start : start + dice.randrange(1, 200)] * dice.choice([1, 2, 50])


def _insert(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data) + 1)
    data[start:start] = dice.choice(TOKENS)


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 3, 30])):
        data[dice.randrange(len(data))] = dice.randrange(256)


def _swap(data: bytearray, dice: random.Random) -> None:
    one, other = sorted(dice.randrange(len(data)) for _ in range(2))
    data[:] = data[one:other] + data[:one] + data[other:]


EDITS: list[Callable[[bytearray, random.Random], None]] = [_cut, _drop, _repeat, _insert, _insert, _flip, _swap]


def damaged(name: str, seed: int) -> bytes:
    """A sound document after some edits; in a PDF and an e-book also within what is packed."""
    dice = random.Random(f"{name} {seed}")
    if name == "book.epub" and dice.random() < 0.7:
        part = bytearray(f"<html><body><h1>x</h1><p>{PARAGRAPH}</p></body></html>".encode())
        container = bytearray(b'<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>')
        _edit(part, dice)
        if dice.random() < 0.3:
            _edit(container, dice)
        return epub(["<p>x</p>"], more={"OEBPS/part 0.xhtml": bytes(part), "META-INF/container.xml": bytes(container)})
    data = bytearray(SOUND[name])
    _edit(data, dice)
    return bytes(data)


def _edit(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 1, 2, 4, 12])):
        if data:
            dice.choice(EDITS)(data, dice)


@pytest.mark.parametrize("name", SOUND)
def test_damaged_documents_are_refused_or_read(name: str) -> None:
    for seed in range(max(1, COUNT // len(SOUND))):
        data = damaged(name, seed)
        try:
            # Under its own name, and under one that says nothing.
            assert_well_formed(*taken(data, name if seed % 4 else "document"))
        except BaseException as error:
            error.add_note(f"made by damaged({name!r}, {seed})")
            raise


@pytest.mark.parametrize("name", SOUND)
def test_the_sound_ones_are_read(name: str) -> None:
    drafts, _, message = taken(SOUND[name], name)
    assert drafts and not message


MADE_TO_HURT: dict[str, bytes] = {
    "deep.html": b"<div>" * 400_000,
    "wide.html": b"<p>a</p>" * 400_000,
    "rather wide.html": b"<p>a b c</p>" * 12_000,
    "open.html": b"<" * 2_000_000,
    "attributes.html": b"<p " + b"a=b " * 500_000,
    "tables.html": b"<table><tr><td>" * 30_000 + b"words " * 1000,
    "links.html": b"<html><body><p>" + b'<a href="https://a.example/">word</a> ' * 8_000,
    "entities.html": b"<p>" + b"&amp;" * 600_000,
    "deep.rss": b"<rss><channel>" + b"<item>" * 300_000,
    "many.rss": b"<rss><channel>" + b"<item><title>a b c</title></item>" * 150_000,
    "cdata.rss": b"<rss>" + b"<![CDATA[" * 500_000,
    "comments.rss": b"<!--" * 1_000_000,
    "prolog.xml": b"<?x ?>" * 500_000 + b"<rss/>",
    "html-in.rss": feed("F", [("x", "<div>" * 100_000)]),
    "ampersands.atom": b"<feed>" + b"&" * 400_000,
    "spaces.atom": b"<feed" + b" " * 2_000_000,
    "deep.opml": b"<opml><body>" + b"<outline text='a'>" * 200_000,
    "many.opml": b"<opml><body>" + b"<outline text='some words here'/>" * 30_000,
    "feeds.opml": b"<opml><body>" + b"".join(b"<outline xmlUrl='http://a.example/%d'/>" % n for n in range(20_000)),
    "deep.json": b'{"a":' * 500_000,
    "wide.json": b"[" + b'{"text":"a b c"},' * 20_000 + b'{"text":"a b c"}]',
    "numbers.json": b"[" + b"9" * 3_000_000 + b"]",
    "nested.json": json.dumps({"items": [{"title": "x", "items": [{"items": [{"text": "a b c"}] * 20}] * 20}] * 20}).encode(),
    "deep.epub": epub(["<div>" * 200_000]),
    "parts.epub": epub(["<p>words of text</p>"] * 1500),
    "zeros.epub": archive({"META-INF/container.xml": bytes(300_000_000)}),
    "packed.pdf": b"%PDF-1.4\n1 0 obj<</Length 9/Filter/FlateDecode>>stream\n" + zlib.compress(bytes(200_000_000)) + b"\nendstream",
}  # fmt: skip

GUARDED = """
import resource, sys
from tests.knowledge.test_readers_hostile import MADE_TO_HURT
from tests.knowledge.test_readers import assert_well_formed, taken
import feedparser, lxml.etree, pypdf, trafilatura
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, data in MADE_TO_HURT.items():
    used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 60, resource.RLIM_INFINITY))
    print(name, flush=True)
    drafts, refusals, message = taken(data, name)
    assert_well_formed(drafts[:100], refusals[:100], message)
print("grew by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_what_is_made_to_hurt_takes_neither_memory_nor_for_ever() -> None:
    """Each has a minute of processor time at most, in a process that the system stops; memory is the whole run's peak."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) < 400, done.stdout
