"""Sources on the web: pages that are taken in, feeds that change, break and heal, doubles, and each source's health."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.ideation.sources import Fetch, Sources
from knowledge.errors import BadInput
from knowledge.fetching import Allowed, Fetcher, Limits
from knowledge.sources.ledger import Health
from knowledge.store import Store
from tests.bot.ideation.conftest import Parts
from tests.knowledge.pdfs import pdf
from tests.web import Handler, Page, Web, article, feed

SPACE = "guild:1"
FEED = "application/rss+xml"
LAMP = ("A lamp that leans", "<p>In Oslo a zanzibar lamp leans towards whoever is speaking at the table.</p>")
BENCH = ("A bench that waits", "<p>Outside the old zanzibar station a folding bench remembers who sat there last.</p>")
CLOCK = ("A clock of tides", "<p>The harbour master winds a zanzibar clock which shows high water and no hours.</p>")


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as opened:
        yield opened


@pytest.fixture
def sources(parts: Parts) -> Sources:
    fetcher = Fetcher(Allowed(["127.0.0.1"]), Limits(seconds=20))
    return Sources(parts.library, parts.studio.shelf, fetcher)


async def texts(parts: Parts, space: str = SPACE) -> set[str]:
    """What a search finds of the texts of this module: they all say zanzibar."""
    hits = await parts.studio.search(space, "zanzibar", count=50)
    return {hit.snippet.text for hit in hits if "zanzibar" in hit.snippet.text}


async def state(sources: Sources, title: str) -> Health:
    return next(one for one in await sources.health(SPACE) if one.source.title == title)


async def only(fetches: list[Fetch]) -> Fetch:
    (fetch,) = fetches
    return fetch


def plain(*items: tuple[str, ...]) -> set[str]:
    return {item[1].removeprefix("<p>").removesuffix("</p>") for item in items}


def due_in(one: Health) -> timedelta:
    assert one.due_at is not None
    return datetime.fromisoformat(one.due_at) - datetime.now(UTC)


async def refresh(sources: Sources) -> list[Fetch]:
    return await sources.refresh(SPACE, everything=True)


class TestPages:
    PARAGRAPHS = (
        "A zanzibar kiosk in the old town sells nothing but the sound of a door, recorded every morning by its owner.",
        "People come to listen to a door that they remember, and some of them bring the key along and leave it there.",
    )

    async def test_a_page_becomes_snippets_with_where_and_who(self, parts: Parts, sources: Sources, web: Web) -> None:
        head = '<link rel="canonical" href="/door"><meta name="author" content="Ada Byron"><link rel="alternate" '
        head += 'type="application/rss+xml" href="/feed"><meta property="article:published_time" content="2024-03-09">'
        head += '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">'
        web.pages["/door?from=mail"] = Page(article("The sound of a door", *self.PARAGRAPHS, head=head))
        fetch = await only(await sources.add(SPACE, "user:1", web.address("/door?from=mail")))
        assert fetch.kept.added == 1 and fetch.follows == web.address("/feed")
        hit = (await parts.studio.search(SPACE, "the sound of a door"))[0].snippet
        assert (hit.title, hit.author, hit.date) == ("The sound of a door", "Ada Byron", "2024-03-09")
        assert (hit.address, hit.licence) == (web.address("/door"), "https://creativecommons.org/licenses/by/4.0/")
        assert "Imprint" not in hit.text and "<" not in hit.text
        assert await texts(parts, "guild:2") == set()
        (shelved,) = [one for one in await parts.studio.shelf.sources(SPACE) if one.source.kind == "page"]
        assert (shelved.source.title, shelved.snippets, shelved.person) == ("The sound of a door", 1, "user:1")

    async def test_the_same_page_again_updates_what_it_brought(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/door"] = Page(article("The sound of a door", *self.PARAGRAPHS))
        await sources.add(SPACE, None, web.address("/door"))
        fetch = await only(await sources.add(SPACE, None, web.address("/door")))
        assert (fetch.kept.added, fetch.kept.unchanged) == (0, 1)
        web.pages["/door"] = Page(
            article("The sound of a door", self.PARAGRAPHS[0].replace("morning", "evening"), "No.")
        )
        fetch = await only(await sources.add(SPACE, None, web.address("/door")))
        assert (fetch.kept.added, fetch.kept.removed) == (1, 1)
        assert all("evening" in text for text in await texts(parts)) and len(await texts(parts)) == 1
        assert len([one for one in await sources.health(SPACE) if one.source.kind == "page"]) == 1

    async def test_a_pdf(self, parts: Parts, sources: Sources, web: Web) -> None:
        body = pdf([["A zanzibar tent of paper folds into an envelope", "and is posted on to the next guest."]])
        web.pages["/tent"] = Page(body, "application/pdf")
        assert (await only(await sources.add(SPACE, None, web.address("/tent")))).kept.added == 1
        assert (await parts.studio.search(SPACE, "zanzibar tent"))[
            0
        ].snippet.address == f"{web.address('/tent')}, page 1"

    @pytest.mark.parametrize(
        ("page", "said"),
        [
            (Page(b"", status=404), "error 404"),
            (Page(b"\x00\x01" * 500, "application/octet-stream"), "binary"),
            (Page(b"<html><body></body></html>"), "main text"),
            (Page(b"%PDF-1.4 nonsense", "application/pdf"), "PDF"),
            (Page(b"<!DOCTYPE x [<!ENTITY a 'b'>]><rss/>", "text/xml"), "entities"),
            (Page(feed("Nothing", []), FEED), ""),
        ],
    )
    async def test_what_cannot_be_had_is_said_in_one_line_and_leaves_nothing(
        self, sources: Sources, web: Web, page: Page, said: str
    ) -> None:
        web.pages["/a"] = page
        if not said:
            assert (await only(await sources.add(SPACE, None, web.address("/a")))).kept.added == 0
            return
        with pytest.raises(BadInput, match=said) as caught:
            await sources.add(SPACE, None, web.address("/a"))
        assert web.address("/a") in str(caught.value) and "\n" not in str(caught.value)
        assert await sources.health(SPACE) == []


class TestFeeds:
    async def test_a_feed_that_changes(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/f"] = Page(feed("Things", [LAMP, BENCH]), FEED, etag='"1"')
        fetch = await only(await sources.add(SPACE, "user:1", web.address("/f")))
        assert fetch.kept.added == 2 and await texts(parts) == plain(LAMP, BENCH)
        fetch = await only(await refresh(sources))
        assert not fetch.changed and web.asked[-1][1]["If-None-Match"] == '"1"'
        assert (await state(sources, "Things")).added == 2

        changed = (BENCH[0], BENCH[1].replace("remembers who sat there last", "hums for whoever is late"))
        web.pages["/f"] = Page(feed("Better things", [CLOCK, changed]), FEED, etag='"2"')
        fetch = await only(await refresh(sources))
        assert (fetch.kept.added, fetch.kept.removed, fetch.kept.updated) == (2, 1, 1)
        # What left the feed stays: feeds hold the newest only. What changed in it is not there twice.
        assert await texts(parts) == plain(LAMP, CLOCK, changed)
        one = await state(sources, "Better things")
        assert (one.snippets, one.added, one.failures, one.error) == (3, 2, 0, None)
        assert timedelta(minutes=40) < due_in(one) < timedelta(minutes=80)

    async def test_a_feed_that_breaks_and_heals(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/f"] = Page(feed("Things", [LAMP]), FEED)
        await sources.add(SPACE, None, web.address("/f"))

        def broken(handler: Handler) -> None:
            handler.begin("Content-Length: 1000", f"Content-Type: {FEED}")
            handler.wfile.write(feed("Things", [LAMP, BENCH])[:200])

        troubles: list[tuple[Page | object, str]] = [
            (Page(b"", status=500), "error 500"),
            (broken, "ended before its end"),
            (Page(b"\xff\xfe\x00garbage" * 50, FEED), "it"),
            (
                Page(article("Sorry", "This blog has moved to another place, where it is kept by somebody else now.")),
                "no feed",
            ),
            (Page(b"<rss><channel><item><title>x", "application/zip"), "application/zip"),
            (Page(b"", status=302, headers={"Location": "http://10.0.0.1/f"}), "private network"),
        ]
        for count, (page, said) in enumerate(troubles, start=1):
            web.pages["/f"] = page  # type: ignore[assignment]
            fetch = await only(await refresh(sources))
            one = await state(sources, "Things")
            assert fetch.error and said in fetch.error and said in (one.error or "")
            assert (one.failures, one.snippets) == (count, 1) and await texts(parts) == plain(LAMP)
        assert due_in(one) > timedelta(hours=15)

        web.pages["/f"] = Page(feed("Things", [LAMP, BENCH]), FEED)
        assert (await only(await refresh(sources))).kept.added == 1
        one = await state(sources, "Things")
        assert (one.failures, one.error, one.snippets) == (0, None, 2) and due_in(one) < timedelta(hours=2)

    async def test_a_damaged_feed_is_read_as_far_as_it_goes(self, parts: Parts, sources: Sources, web: Web) -> None:
        body = feed("Things & more", [LAMP, BENCH]).replace(b"&amp; more", b"& more&nbsp;")
        web.pages["/f"] = Page(body[: body.rindex(b"</description>")], FEED)
        await sources.add(SPACE, None, web.address("/f"))
        assert plain(LAMP) <= await texts(parts)

    async def test_a_feed_says_when_to_come_back_and_when_never(self, sources: Sources, web: Web) -> None:
        web.pages["/f"] = Page(feed("Things", [LAMP]), FEED)
        await sources.add(SPACE, None, web.address("/f"))
        web.pages["/f"] = Page(b"", status=429, headers={"Retry-After": "259200"})
        await refresh(sources)
        assert due_in(await state(sources, "Things")) > timedelta(days=2, hours=23)
        web.pages["/f"] = Page(b"", status=410)
        await refresh(sources)
        assert (await state(sources, "Things")).due_at is None
        web.asked.clear()
        assert await sources.refresh() == [] and web.asked == []

    async def test_only_what_is_due_is_fetched(self, parts: Parts, sources: Sources, web: Web) -> None:
        for name in ("a", "b"):
            web.pages[f"/{name}"] = Page(feed(name, [LAMP if name == "a" else BENCH]), FEED)
            await sources.add(SPACE, None, web.address(f"/{name}"))
        assert await sources.refresh() == []

        def make_due(store: Store) -> None:
            with store.transaction():
                store.db.execute(
                    "UPDATE fetches SET due_at = '2026-01-01T00:00:00+00:00'"
                    " WHERE source_id = (SELECT id FROM sources WHERE title = 'b')"
                )

        await parts.library.run(make_due, parts.library.store)
        assert [fetch.source.title for fetch in await sources.refresh()] == ["b"]

    async def test_a_list_of_feeds_is_followed_as_a_whole(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/a"], web.pages["/b"] = Page(feed("A", [LAMP]), FEED), Page(feed("B", [BENCH]), FEED)
        lines = "".join(f'<outline text="{name}" xmlUrl="{web.address(f"/{name}")}"/>' for name in ("a", "b", "gone"))
        web.pages["/list"] = Page(f'<opml version="2.0"><body>{lines}</body></opml>'.encode(), "text/x-opml")
        fetches = await sources.add(SPACE, "user:1", web.address("/list"))
        assert [fetch.waiting for fetch in fetches] == [True] * 3 and await texts(parts) == set()
        heard: list[Fetch] = []
        await sources.refresh(progress=heard.append)
        assert len(heard) == 3 and await texts(parts) == plain(LAMP, BENCH)
        assert {one.source.title: one.failures for one in await sources.health(SPACE)} == {"A": 0, "B": 0, "gone": 1}
        assert await sources.add(SPACE, "user:1", web.address("/list")) == []

    async def test_a_feed_that_is_removed_while_it_is_fetched_stays_away(
        self, parts: Parts, sources: Sources, web: Web
    ) -> None:
        web.pages["/f"] = Page(feed("Things", [LAMP]), FEED)
        added = await only(await sources.add(SPACE, None, web.address("/f")))
        loop = asyncio.get_running_loop()

        def remove(handler: Handler) -> None:
            removal = parts.studio.shelf.remove(SPACE, added.source.id)
            asyncio.run_coroutine_threadsafe(removal, loop).result()
            handler._answer(Page(feed("Things", [LAMP, BENCH]), FEED))

        web.pages["/f"] = remove
        assert (await only(await refresh(sources))).error
        assert await sources.health(SPACE) == [] and await texts(parts) == set()

    async def test_closing_breaks_off_a_fetch_without_blaming_the_feed(self, sources: Sources, web: Web) -> None:
        web.pages["/f"] = Page(feed("Things", [LAMP]), FEED)
        await sources.add(SPACE, None, web.address("/f"))
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def silent(handler: Handler) -> None:
            loop.call_soon_threadsafe(begun.set)
            handler.web.closing.wait()

        web.pages["/f"] = silent
        running = asyncio.create_task(refresh(sources))
        await begun.wait()
        running.cancel()
        await sources.close()
        assert (await state(sources, "Things")).failures == 0


class TestDoubles:
    async def test_an_address_met_before_joins_its_first(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/a"] = Page(feed("A", [LAMP]), FEED)
        link = "https://www.blog.example/a-lamp-that-leans/?utm_source=b"
        web.pages["/b"] = Page(
            feed("B", [("Seen elsewhere", "<p>Somebody wrote of zanzibar things.</p>", link), BENCH]), FEED
        )
        await sources.add(SPACE, None, web.address("/a"))
        fetch = await only(await sources.add(SPACE, None, web.address("/b")))
        assert (fetch.kept.added, fetch.kept.joined) == (1, 1) and await texts(parts) == plain(LAMP, BENCH)
        assert (await state(sources, "B")).joined == 1

    async def test_a_text_that_means_the_same_joins_its_first_and_comes_back_when_that_goes(
        self, parts: Parts, sources: Sources, web: Web
    ) -> None:
        copy = (LAMP[0], LAMP[1].replace("at the table", "at that table"), "https://copy.example/1")
        web.pages["/a"] = Page(feed("A", [LAMP]), FEED)
        web.pages["/b"] = Page(feed("B", [copy]), FEED, etag='"b"')
        first = await only(await sources.add(SPACE, None, web.address("/a")))
        assert (await only(await sources.add(SPACE, None, web.address("/b")))).kept.joined == 1
        assert await texts(parts) == plain(LAMP)
        await parts.studio.shelf.remove(SPACE, first.source.id)
        assert await texts(parts) == set()
        await refresh(sources)
        assert await texts(parts) == plain(copy)

    async def test_doubles_within_one_feed(self, parts: Parts, sources: Sources, web: Web) -> None:
        copy = (LAMP[0], LAMP[1].replace("at the table", "at that table"), "https://copy.example/1")
        web.pages["/a"] = Page(feed("A", [LAMP, copy, LAMP]), FEED)
        fetch = await only(await sources.add(SPACE, None, web.address("/a")))
        assert (fetch.kept.added, fetch.kept.joined) == (1, 1) and await texts(parts) == plain(LAMP)
        changed = (LAMP[0], "<p>By then every zanzibar umbrella in the city had learned to whistle when lost.</p>")
        web.pages["/a"] = Page(feed("A", [changed, copy]), FEED)
        await refresh(sources)
        assert await texts(parts) == plain(changed, copy)

    async def test_spaces_do_not_share_doubles(self, parts: Parts, sources: Sources, web: Web) -> None:
        web.pages["/a"] = Page(feed("A", [LAMP]), FEED)
        for space in (SPACE, "guild:2"):
            assert (await only(await sources.add(space, None, web.address("/a")))).kept.added == 1
        assert await texts(parts, "guild:2") == plain(LAMP)

    async def test_an_entry_that_was_mended_a_little_is_updated_and_not_its_own_double(
        self, parts: Parts, sources: Sources, web: Web
    ) -> None:
        web.pages["/a"] = Page(feed("A", [LAMP]), FEED)
        await sources.add(SPACE, None, web.address("/a"))
        mended = (LAMP[0], LAMP[1].replace("Oslo", "Bergen"))
        web.pages["/a"] = Page(feed("A", [mended]), FEED)
        await refresh(sources)
        assert await texts(parts) == plain(mended)
