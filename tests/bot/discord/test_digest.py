"""Digests: once each, in the server's time, from what their readers may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.ideation.schedule import Every, Schedule
from knowledge.types import Filters
from tests.bot.discord.conftest import Stage
from tests.bot.discord.test_capture import switch
from tests.bot.discord.test_hidden import SECRET, Cellar, kept
from tests.discord_server import Person
from tests.discord_server.entities import Channel
from tests.discord_server.message import Message


@pytest.fixture
def boss(stage: Stage) -> Person:
    return stage.server.member("boss", stage.home, permissions=["manage_guild"])


async def ask(stage: Stage, boss: Person, channel: Channel, every: str = "daily", **options: Any) -> str:
    asked = await boss.slash(stage.general, "settings digest", channel=channel, every=every, **options)
    return (await asked.finished()).text


def digests(stage: Stage, channel: Channel) -> list[Message]:
    return [one for one in channel.messages.values() if one.author is stage.server.bot and "## Digest" in one.text]


async def time_comes(stage: Stage, after: timedelta = timedelta(minutes=1)) -> None:
    """Move the clock to the next time that a digest is due, and a little more; the bot looks at it twice."""
    (first,) = {one.schedule.following(stage.now()) for one in await stage.services.studio.digests.all()}
    stage.server.clock.advance(seconds=(first + after - stage.now()).total_seconds())
    await look(stage)
    await look(stage)


async def look(stage: Stage) -> None:
    """Let the bot look at the clock, as it does every minute."""
    cog: Any = stage.bot.get_cog("Digest")
    await cog.post_due()


async def test_a_digest_is_posted_once_through_restarts_and_late_rather_than_never(stage: Stage, boss: Person) -> None:
    finds = stage.server.channel("finds", stage.home)
    await switch(stage, boss, finds)
    await stage.alice.says(finds, "A first lantern, from before the digest was asked for.")
    await kept(stage, "A first lantern, from before the digest was asked for.")
    assert "every day at 7:00 (Europe/Berlin)" in await ask(stage, boss, stage.general, hour=7, zone="europe/berlin")
    await stage.alice.says(finds, "Kettles that whistle in tune")
    await kept(stage, "Kettles that whistle in tune")
    await look(stage)
    assert not digests(stage, stage.general), "not before its time"
    await time_comes(stage)
    (first,) = digests(stage, stage.general)
    assert "**Came in:** 1 snippet\n" in first.text and "Kettles that whistle in tune" in first.text
    assert "first lantern" not in first.text and "Rising" not in first.text
    assert first.text.count("\n**[") == 3 and "### To begin with: " in first.text and not first.pings
    await stage.restart()
    await look(stage)
    assert len(digests(stage, stage.general)) == 1
    due = (await stage.services.studio.digests.all())[0].schedule.following(stage.now())
    await stage.stop()
    stage.server.clock.advance(seconds=(due - stage.now()).total_seconds() + 5 * 3600)
    await stage.start()
    await look(stage)
    await look(stage)
    assert len(digests(stage, stage.general)) == 2, "a missed one comes late, once"
    assert "Nothing new" in digests(stage, stage.general)[1].text
    assert "To begin with" in await boss_sees(stage, boss)
    await time_comes(stage, timedelta(hours=13))
    assert len(digests(stage, stage.general)) == 2, "half a day late is no longer reasonable"
    assert "No further digest" in await ask(stage, boss, stage.general, "off")
    stage.server.clock.advance(hours=48)
    await look(stage)
    assert len(digests(stage, stage.general)) == 2
    assert "gets no digest" in await ask(stage, boss, stage.general, "off")


async def boss_sees(stage: Stage, boss: Person) -> str:
    shown = await boss.slash(stage.general, "settings show")
    assert f"<#{stage.general.id}> every day at 7:00" in (await shown.finished()).text
    return digests(stage, stage.general)[0].text


@pytest.mark.parametrize("lost", ["answer", "record"])
async def test_a_digest_that_was_posted_is_not_posted_again_though_nobody_noted_it(
    stage: Stage, boss: Person, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    await ask(stage, boss, stage.general)
    digesting = stage.services.studio.digests
    if lost == "answer":
        path = f"/channels/{stage.general.id}/messages"
        stage.server.fail_next("POST", path, status=None, applied=True, times=1)
        await time_comes(stage)
    else:

        async def killed(*_: Any) -> None:
            raise OSError("the machine went down")

        monkeypatch.setattr(digesting, "handled", killed)
        await time_comes(stage)
        monkeypatch.undo()
    assert len(digests(stage, stage.general)) == 1
    await stage.restart()
    await look(stage)
    await look(stage)
    assert len(digests(stage, stage.general)) == 1
    (subscription,) = await stage.services.studio.digests.all()
    assert subscription.begun is None and not await stage.services.studio.digests.due(stage.now())


async def test_a_digest_says_nothing_that_its_readers_may_not_see(stage: Stage) -> None:
    cellar = Cellar(stage)
    for channel in (stage.general, cellar.channel):
        await ask(stage, cellar.boss, channel)
    await cellar.furnish()
    await time_comes(stage)
    (open_one,), (hidden_one,) = digests(stage, stage.general), digests(stage, cellar.channel)
    assert "Nothing new" in open_one.text and "Zanzibarquux" not in open_one.text
    assert "**Came in:** 1 snippet" in hidden_one.text and SECRET[:20] in hidden_one.text


async def test_a_digest_that_is_not_possible_is_said_at_once_and_given_up_where_rights_went(
    stage: Stage, boss: Person, caplog: pytest.LogCaptureFixture
) -> None:
    assert "I know no such time zone" in await ask(stage, boss, stage.general, zone="Atlantis")
    side = stage.server.channel("side", stage.home)
    assert "every Sunday at 18:00 (UTC)" in await ask(stage, boss, side, "weekly", weekday=6, hour=18)
    stage.server.overwrite(side, stage.home.everyone, deny=["send_messages"])
    assert "I lack: send messages" in await ask(stage, boss, side)
    await time_comes(stage)
    assert "can't be posted there" in caplog.text
    assert not await stage.services.studio.digests.due(stage.now())
    stage.server.delete_channel(side)
    await stage.server.changes.until(lambda: True, 1, str)
    others = {"channel": stage.general, "every": "daily"}
    offered = await boss.autocomplete(stage.general, "settings digest", "zone", "berl", **others)
    assert offered.choices[0].value == "Europe/Berlin"


async def test_what_rises_is_told_where_somebody_knows(stage: Stage) -> None:
    digesting = stage.services.studio.digests
    digesting._rising = lambda space, filters: [f"paper *boats* in {space}"]
    await digesting.subscribe("guild:1", 5, Schedule(Every.DAILY, 9, 0, "UTC"), stage.now())
    (one,) = await digesting.all()
    digest = await digesting.write(one, stage.now(), Filters())
    assert digest.rising == ("paper *boats* in guild:1",)
