# ruff: noqa: E501 (the documents read better on one line)
"""Web pages, feeds, lists of feeds, e-books and JSON: what is read of them, and the bombs that are refused."""

from __future__ import annotations

import json

import pytest

from knowledge.readers import Listed, read
from knowledge.readers.base import Refusal
from knowledge.types import Draft
from tests.knowledge.epubs import archive, epub
from tests.knowledge.test_readers import taken
from tests.web import article, feed

PARAGRAPH = "The harbour lights were first hung by fishermen who wanted to find their way home in the fog of winter. "


def one(data: bytes, name: str) -> Draft:
    drafts, refusals, message = taken(data, name)
    assert (len(drafts), refusals, message) == (1, [], "")
    return drafts[0]


class TestPages:
    def test_long_pages_become_passages_under_their_headings(self) -> None:
        body = article("Harbour lights", PARAGRAPH * 5).replace(
            b"</article>",
            f"<h2>Lanterns</h2><p>{PARAGRAPH * 4}</p><h2>Bells</h2><p>{PARAGRAPH * 4}</p></article>".encode(),
        )
        drafts, _, _ = taken(body, "page.html")
        titles = [draft.title for draft in drafts]
        assert any("Harbour lights › Lanterns" in title for title in titles), titles
        assert all(len(draft.text) <= 600 and "Shop" not in draft.text for draft in drafts)

    def test_what_a_page_says_in_scripts_and_marks_stays_out(self) -> None:
        page = (
            article("Lights", PARAGRAPH * 3)
            .replace(b"<h1>", b"<script>alert('boo')</script><style>p{}</style><h1>")
            .replace(b"fog", b"<b onclick=x()>f&#111;g</b>")
        )
        text = " ".join(draft.text for draft in taken(page, "page.html")[0])
        assert "fog" in text and not any(mark in text for mark in ("alert", "<", "onclick", "p{}"))

    @pytest.mark.parametrize("charset", ["windows-1251", "utf-8", "koi8-r"])
    def test_the_encoding_that_a_page_declares(self, charset: str) -> None:
        russian = "В старом порту рыбаки вешали фонари вдоль стены, чтобы находить дорогу домой в зимнем тумане. " * 3
        page = (
            f"<html><head><meta charset={charset}><title>Порт</title></head><body><article><p>{russian}</p></article>"
        )
        assert one(page.encode(charset), "a.html").text.startswith("В старом порту")

    @pytest.mark.parametrize(
        ("canonical", "address"),
        [
            ("https://www.site.example/lights", "https://www.site.example/lights"),
            ("/lights", "https://site.example/lights"),
            ("https://bank.example/login", "https://site.example/a?b"),
            ("javascript:alert(1)", "https://site.example/a?b"),
        ],
    )
    def test_a_page_cannot_pass_for_one_of_another_site(self, canonical: str, address: str) -> None:
        page = article("Lights", PARAGRAPH * 3, head=f'<link rel=canonical href="{canonical}">')
        assert one(page, "https://site.example/a?b").address == address


class TestFeeds:
    def test_rss_with_all_that_an_entry_may_say(self) -> None:
        rss = """<?xml version="1.0" encoding="iso-8859-1"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>Caf\xe9</title><link>https://cafe.example/</link><copyright>CC BY 4.0</copyright><item>
<title>Clocks &amp; tides</title><link><![CDATA[https://cafe.example/a?x=1&y=2]]></link><dc:creator>Ada</dc:creator>
<description>short</description><content:encoded><![CDATA[<p>A caf\xe9 clock <b>shows</b> the tide&nbsp;only.</p><p>The post
Clocks appeared first on Caf\xe9.</p><script>bad()</script>]]></content:encoded>
<pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate><category>Clocks</category></item></channel></rss>"""
        draft = one(rss.encode("latin-1"), "feed.xml")
        assert draft == Draft(
            "Clocks & tides",
            "A café clock shows the tide only.",
            topics=("clocks",),
            date="2026-03-02",
            author="Ada",
            address="https://cafe.example/a?x=1&y=2",
            licence="CC BY 4.0",
        )

    def test_atom(self) -> None:
        atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>At</title><link href="https://at.example/"/>
<author><name>Jo</name></author><entry><id>x</id><title type="html">One &lt;i&gt;lamp&lt;/i&gt;</title><link href="/p/1"/>
<updated>2025-01-02T00:00:00Z</updated><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Lamps lean
<em>left</em>.</p></div></content></entry></feed>"""
        draft = one(atom, "https://at.example/f.atom")
        assert (draft.title, draft.text, draft.author, draft.date) == (
            "One lamp",
            "Lamps lean left.",
            "Jo",
            "2025-01-02",
        )
        assert draft.address == "https://at.example/p/1"

    def test_a_feed_is_known_whatever_it_is_called(self) -> None:
        data = feed("A", [("Lamps", "<p>Lamps lean left.</p>")])
        for name in ("a.xml", "a.rss", "a.txt", "a", "https://a.example/feed?x=.pdf"):
            assert one(data, name).text == "Lamps lean left."

    def test_a_flood_is_cut_off(self) -> None:
        data = feed("A", [(f"Number {number}", f"<p>Words of entry {number} stand here.</p>") for number in range(250)])
        drafts, refusals, _ = taken(data, "a.rss")
        assert len(drafts) == 200 and "50 entries more" in refusals[0].why


def test_a_list_of_feeds_with_notes_among_them() -> None:
    opml = b"""<?xml version="1.0"?><opml version="2.0"><body><outline text="Design">
<outline text="It &amp; more" type="rss" xmlUrl="https://a.example/f"/><outline text="It" xmlUrl="https://a.example/f"/>
<outline text="Bad" xmlUrl="file:///etc/passwd"/></outline>
<outline text="Ideas"><outline text="A lamp that leans towards whoever is speaking"/></outline></body></opml>"""
    import io

    items = list(read(io.BytesIO(opml), "feeds.opml"))
    assert items[0] == Listed("https://a.example/f", "It & more")
    assert isinstance(items[1], Refusal) and items[1].where == "Bad"
    assert items[2] == Draft("Ideas", "A lamp that leans towards whoever is speaking") and len(items) == 3


class TestEBooks:
    def test_chapters_in_order_with_what_the_book_says_of_itself(self) -> None:
        about = (
            "<dc:title>Tides</dc:title><dc:creator>Ada</dc:creator><dc:date>1957-03</dc:date><dc:rights>CC0</dc:rights>"
        )
        book = epub([f"<h1>One&nbsp;sea</h1><p>{PARAGRAPH}</p>", f"<h1>Two</h1><p>{PARAGRAPH * 2}</p>"], about)
        drafts, refusals, message = taken(book, "book.epub")
        assert [draft.title for draft in drafts] == ["Tides › One sea", "Tides › Two"] and not refusals and not message
        assert (drafts[0].author, drafts[0].date, drafts[0].licence) == ("Ada", "1957-03", "CC0")

    def test_what_is_locked_or_missing_is_said(self) -> None:
        locked = (
            '<encryption><EncryptedData><EncryptionMethod Algorithm="aes"/>'
            '<CipherReference URI="OEBPS/part%200.xhtml"/></EncryptedData></encryption>'
        )
        book = epub([f"<p>{PARAGRAPH}</p>"], more={"META-INF/encryption.xml": locked})
        assert "copy protection" in taken(book, "book.epub")[2]
        assert "names no package" in taken(archive({"META-INF/container.xml": "<container/>"}), "a.epub")[2]
        assert "lacks META-INF" in taken(archive({"mimetype": "application/epub+zip"}), "a.epub")[2]
        assert "damaged" in taken(book[:300], "a.epub")[2]


class TestJson:
    def test_an_export_of_highlights(self) -> None:
        book = {
            "title": "On Tides",
            "author": "Ada",
            "source_url": "https://b.example",
            "highlights": [
                {
                    "text": "High water comes late.",
                    "note": "",
                    "highlighted_at": "2024-01-02T00:00:00Z",
                    "tags": [{"id": 1, "name": "sea"}],
                },
                {"text": "Low water is a door.", "tags": []},
            ],
        }
        drafts, _, _ = taken(json.dumps({"count": 1, "results": [book]}).encode(), "export.json")
        assert drafts == [
            Draft(
                "On Tides",
                "High water comes late.",
                topics=("sea",),
                date="2024-01-02",
                author="Ada",
                address="https://b.example",
            ),
            Draft("On Tides", "Low water is a door.", author="Ada", address="https://b.example"),
        ]

    def test_an_export_of_a_channel(self) -> None:
        channel = {
            "title": "Doors",
            "contents": [
                {
                    "class": "Text",
                    "title": "",
                    "content": "A door hums at night.",
                    "user": {"full_name": "Jo"},
                    "source": {"url": "https://q.example"},
                },
                {
                    "class": "Image",
                    "title": "Blue door",
                    "description": "A blue door in Lisbon.",
                    "image": {"original": {"url": "x"}},
                },
                {"class": "Image", "title": "No words", "description": None},
            ],
        }
        drafts, _, _ = taken(json.dumps(channel).encode(), "channel.json")
        assert [(draft.title, draft.text, draft.author, draft.address) for draft in drafts] == [
            ("Doors", "A door hums at night.", "Jo", "https://q.example"),
            ("Blue door", "A blue door in Lisbon.", None, None),
        ]

    def test_an_export_of_highlights_as_a_table(self) -> None:
        table = b"Highlight,Book Title,Book Author,Note,Tags,Highlighted at\nHigh water comes late.,On Tides,Ada,,sea,2024-01-02 10:00\n"
        assert one(table, "export.csv") == Draft(
            "On Tides", "High water comes late.", topics=("sea",), date="2024-01-02", author="Ada"
        )


LOL = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(12))
BOMBS = {
    "laughs.rss": f"<!DOCTYPE x [{LOL}]><rss><channel><item><title>&l11;</title></item></channel></rss>".encode(),
    "laughs-16.rss": f"<!DOCTYPE x [{LOL}]><rss><channel><item><title>&l11;</title></item></channel></rss>".encode(
        "utf-16"
    ),
    "laughs.opml": f"<!DOCTYPE x [{LOL}]><opml><body><outline text='&l11;'/></body></opml>".encode(),
    "outside.atom": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><feed><entry><title>&a;</title></entry></feed>',
    "parameter.opml": b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1/x"> %a;]><opml><body/></opml>',
    "laughs.epub": epub(
        ["<p>x</p>"], more={"META-INF/container.xml": f"<!DOCTYPE x [{LOL}]><container>&l11;</container>"}
    ),
    "zeros.epub": epub(["<p>x</p>"], more={"OEBPS/part 0.xhtml": bytes(200_000_000)}),
    "many.epub": archive({f"file {number} {'x' * 60}": b"" for number in range(9_000)}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_with_one_line(name: str) -> None:
    drafts, _, message = taken(BOMBS[name], name)
    assert drafts == [] and message and "\n" not in message
    assert "root:" not in message
