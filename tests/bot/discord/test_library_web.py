"""The library and the web, on Discord: a page, a feed that changes, a list of feeds, and their health."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.bot.discord.conftest import Stage
from tests.discord_server import Person, Upload
from tests.web import Page, Web, article, feed

FEED = "application/rss+xml"
LAMP = ("A lamp that leans", "<p>In Oslo a zanzibar lamp leans towards whoever is speaking at the table.</p>")
BENCH = ("A bench that waits", "<p>Outside the old zanzibar station a folding bench remembers who sat there last.</p>")
DOOR = (
    "A zanzibar kiosk in the old town sells nothing but the sound of a door, recorded every morning by its owner.",
    "People come to listen to a door that they remember, and some of them bring the key along and leave it there.",
)


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as opened:
        yield opened


@pytest.fixture
async def mod(stage: Stage) -> Person:
    await stage.restart(fetch_allow="127.0.0.1")
    return stage.server.member("mod", stage.home, permissions=["manage_messages"])


async def found(stage: Stage) -> set[str]:
    hits = await stage.services.studio.search(f"guild:{stage.home.id}", "zanzibar", count=20)
    return {hit.snippet.text for hit in hits if "zanzibar" in hit.snippet.text}


async def both_found(stage: Stage) -> None:
    """Wait until the bot has fetched by itself."""
    async with asyncio.timeout(30):
        while len(await found(stage)) != 2:  # noqa: ASYNC110 (nothing says when a search would find it)
            await asyncio.sleep(0.02)


async def listed(stage: Stage, mod: Person, words: str) -> str:
    await mod.slash(stage.general, "library list")
    return (await mod.sees(stage.general, words)).text


async def test_a_page_is_added_found_listed_and_removed(stage: Stage, mod: Person, web: Web) -> None:
    head = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    web.pages["/door"] = Page(article("The sound of a @everyone door", *DOOR, head=head))
    await mod.slash(stage.general, "library add", address=web.address("/door"))
    report = await mod.sees(stage.general, "1 snippet added")
    assert "has a feed" in report.text and "/feed" in report.text and not report.pings
    assert len(await found(stage)) == 1
    text = await listed(stage, mod, "fetched <t:")
    assert web.address("/door") in text
    offered = (await mod.autocomplete(stage.general, "library remove", "source", "sound")).choices
    await mod.slash(stage.general, "library remove", source=offered[0].value)
    await mod.clicks(await mod.sees(stage.general, "can't be undone"), "Remove it")
    await mod.sees(stage.general, "Removed The sound of a")
    assert await found(stage) == set()


async def test_a_feed_is_followed_breaks_heals_and_is_removed(stage: Stage, mod: Person, web: Web) -> None:
    web.pages["/f"] = Page(feed("Zanzibar news", [LAMP]), FEED)
    await mod.slash(stage.general, "library add", address=web.address("/f"))
    report = await mod.sees(stage.general, "Following")
    assert "1 snippet added" in report.text and "Zanzibar news" in report.text
    assert "Zanzibar news" in await listed(stage, mod, "1 new")

    space, sources = f"guild:{stage.home.id}", stage.services.studio.sources
    web.pages["/f"] = Page(b"", status=500)
    await sources.refresh(space, everything=True)
    text = await listed(stage, mod, "failed")
    assert "error 500" in text and "next try <t:" in text
    web.pages["/f"] = Page(feed("Zanzibar news", [LAMP, BENCH]), FEED)
    await sources.refresh(space, everything=True)
    assert len(await found(stage)) == 2
    await mod.slash(stage.general, "library list")
    assert "failed" not in (await mod.sees(stage.general, "2 snippets ·")).text

    await mod.slash(stage.general, "library remove", source="Zanzibar news")
    await mod.clicks(await mod.sees(stage.general, "can't be undone"), "Remove it")
    await mod.sees(stage.general, "Removed Zanzibar news with 2 snippets")
    web.asked.clear()
    assert await sources.refresh(space, everything=True) == [] and web.asked == [] and await found(stage) == set()


async def test_a_list_of_feeds_comes_in_by_itself(stage: Stage, mod: Person, web: Web) -> None:
    web.pages["/a"], web.pages["/b"] = Page(feed("A", [LAMP]), FEED), Page(feed("B", [BENCH]), FEED)
    lines = "".join(f'<outline text="{name}" xmlUrl="{web.address(f"/{name}")}"/>' for name in "ab")
    opml = f'<opml version="2.0"><body>{lines}</body></opml>'.encode()
    await mod.slash(stage.general, "library add", file=Upload("feeds.opml", opml))
    await mod.sees(stage.general, "Following 2 feeds")
    await both_found(stage)
    await mod.slash(stage.general, "library add", file=Upload("feeds.opml", opml))
    await mod.sees(stage.general, "followed already")


async def test_a_feed_that_is_due_is_fetched_after_a_restart(stage: Stage, mod: Person, web: Web) -> None:
    web.pages["/f"] = Page(feed("Things", [LAMP]), FEED)
    await mod.slash(stage.general, "library add", address=web.address("/f"))
    await mod.sees(stage.general, "Following")
    web.pages["/f"] = Page(feed("Things", [LAMP, BENCH]), FEED)
    library = stage.services.library

    def make_due() -> None:
        with library.store.transaction():
            library.store.db.execute("UPDATE fetches SET due_at = '2026-01-01T00:00:00+00:00'")

    await library.run(make_due)
    await stage.restart(fetch_allow="127.0.0.1")
    await both_found(stage)
