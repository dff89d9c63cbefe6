"""/trends with its picture, and /brainstorm with a trend: end to end, with planted timelines in a server's library."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from bot.services import Services
from knowledge.embedding import add_drafts
from knowledge.trends import Outlook
from knowledge.types import Draft
from tests.bot.discord.conftest import Stage
from tests.knowledge.timelines import THEME, library


async def fill(services: Services, space: str, drafts: list[Draft]) -> frozenset[int]:
    def add() -> frozenset[int]:
        store = services.library.store
        source = store.source(store.collection(space, "own"), "file", "test", "Test")
        return frozenset(add_drafts(store, services.library.embedder, source, drafts).ids)

    return await services.library.run(add)


@pytest.fixture
async def home(stage: Stage) -> str:
    space = f"guild:{stage.home.id}"
    await fill(stage.services, space, library())
    return space


async def test_trends_come_as_a_picture_and_a_list(stage: Stage, home: str) -> None:
    answer = await stage.alice.slash(stage.general, "trends", window="1 year", library="own: only what was added here")
    assert answer.deferred
    shown = await answer.finished()
    assert "moss" in shown.text and "lichen" in shown.text and "lately" in shown.text
    assert len(shown.links) == 3 and all("example.org" in link for link in shown.links) and not shown.previews
    (picture,) = shown.attachments
    drawn = Image.open(io.BytesIO(picture.upload.data))
    assert drawn.format == "PNG" and drawn.width == 1200 and len(drawn.convert("RGB").getcolors(1 << 20) or ()) > 50
    assert "moss" in (picture.description or "")
    assert not stage.model.asked


async def test_a_brainstorm_with_a_trend_takes_its_sparks_from_it(stage: Stage, home: str) -> None:
    offered = (await stage.alice.autocomplete(stage.general, "brainstorm", "trend", "mos", brief="a tea shop")).choices
    (choice,) = offered
    answer = await stage.alice.slash(stage.general, "brainstorm", brief="a tea shop", trend=choice.value, count=3)
    await stage.alice.sees(stage.general, "Machine-made")
    ideas = await stage.services.studio.ideas.of(home)
    (trend,) = (await stage.services.studio.trends.outlook(home)).trends
    sparks = [hit.snippet for entry in ideas for hit in entry.idea.sparks]
    assert sparks and all(spark.id in trend.members for spark in sparks)
    assert "moss" in trend.terms
    members = await stage.services.library.run(stage.services.library.store.snippets, trend.members)
    assert sum("moss" in member.text for member in members) > len(members) / 2
    assert answer.deferred or answer.messages


async def test_counter_trend_goes_against_what_rises(stage: Stage, home: str) -> None:
    await stage.alice.slash(
        stage.general,
        "brainstorm",
        brief="a tea shop",
        technique="counter-trend: Turn what the spark shows upside down: do the opposite.",
        count=2,
    )
    await stage.alice.sees(stage.general, "Machine-made")
    ideas = await stage.services.studio.ideas.of(home)
    assert ideas and {str(entry.idea.technique) for entry in ideas} == {"counter-trend"}
    trends = (await stage.services.studio.trends.outlook(home)).trends
    rising = frozenset[int]().union(*(trend.members for trend in trends))
    assert all(hit.snippet.id in rising for entry in ideas for hit in entry.idea.sparks)


async def test_what_is_wrong_is_said_in_one_line(stage: Stage, home: str) -> None:
    answer = await stage.alice.slash(stage.general, "trends", window="soon")
    assert "no window of time" in (await answer.finished()).text
    await stage.alice.slash(stage.general, "brainstorm", brief="a tea shop", trend="nobody knows this")
    await stage.alice.sees(stage.general, "No trend here is called that")


async def test_where_nothing_has_a_date_it_says_so_without_a_picture(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "trends", library="own: only what was added here")
    shown = await answer.finished()
    assert "has a date yet" in shown.text and not shown.attachments


async def test_no_trend_of_another_server_and_none_of_what_was_deleted(stage: Stage, home: str) -> None:
    elsewhere = "guild:77"
    secret = [
        replace(draft, text=draft.text.replace("moss", "secretmoss")) for draft in library(["secretmoss", *THEME[1:]])
    ]
    hidden = await fill(stage.services, elsewhere, secret)
    trends = stage.services.studio.trends

    def seen(outlook: Outlook) -> set[int]:
        return {one for trend in outlook.trends for one in trend.members}

    assert hidden & seen(await trends.outlook(elsewhere)) and not hidden & seen(await trends.outlook(home))
    answer = await stage.alice.slash(stage.general, "trends")
    assert "secretmoss" not in (await answer.finished()).text.lower()
    offered = (
        await stage.alice.autocomplete(stage.general, "brainstorm", "trend", "secret", brief="a tea shop")
    ).choices
    assert not offered
    gone = seen(await trends.outlook(home))
    assert gone
    await stage.services.library.run(stage.services.library.store.remove, gone)
    assert not gone & seen(await trends.outlook(home))
    answer = await stage.alice.slash(stage.general, "trends")
    assert "Moss" not in (await answer.finished()).text
