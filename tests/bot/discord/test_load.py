"""Two hundred people at once: all are acknowledged in three seconds, all get ideas or are told when to come again."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel
from tests.discord_server import Interaction, eventually

PEOPLE, WAITING, AT_ONCE = 200, 30, 2


@pytest.fixture
def own_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server count the seconds that this process computes: what else the machine does is none of the bot's."""
    begun, computed = stage.server.clock.now(), time.process_time()
    monkeypatch.setattr(stage.server.clock, "now", lambda: begun + time.process_time() - computed)


def ended(answer: Interaction) -> bool:
    """Whether somebody has ideas, or was asked to come back."""
    return "Machine-made" in answer.text or "try again in a few minutes" in answer.text


async def test_two_hundred_people_ask_at_once(stage: Stage, own_time: None) -> None:
    stage.server.specification = None  # the other tests look at bodies; here the server shall not be the slow one
    await stage.restart(at_once=AT_ONCE, queue=WAITING, each_server=PEOPLE)
    people = [stage.server.member(f"person {number}", stage.home) for number in range(PEOPLE)]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(
                person.slash(stage.general, "brainstorm", brief=f"a lamp for {person.name}", count=1)
                for person in people
            )
        )
    late = [answer for answer in answers if answer.failure]
    assert not late, f"{len(late)} were not acknowledged within 3 s"
    refused = [answer for answer in answers if answer.text.startswith("Very many people")]
    assert len(refused) == PEOPLE - WAITING - AT_ONCE and all(answer.response.ephemeral for answer in refused)
    inspired = await stage.alice.slash(stage.general, "inspire")
    assert (await inspired.finished(within=20)).links, "who needs no model is answered meanwhile"
    await eventually(lambda: all(ended(answer) for answer in answers), within=120)
    await eventually(lambda: stage.bot.turns.waiting == stage.bot.turns.working == 0)
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert len(entries) == WAITING + AT_ONCE


async def test_a_server_has_its_share_and_no_more(stage: Stage) -> None:
    stage.model = HeldModel()
    await stage.restart(at_once=1, each_server=1)
    elsewhere = stage.server.guild("Elsewhere")
    carol = stage.server.member("carol", elsewhere)
    await stage.alice.slash(stage.general, "brainstorm", brief="a lamp")
    refused = await stage.bob.slash(stage.general, "brainstorm", brief="a lamp")
    assert "This server has many requests waiting" in refused.text and refused.response.ephemeral
    answer = await carol.slash(next(iter(elsewhere.channels.values())), "brainstorm", brief="a lamp")
    await eventually(lambda: "place 1" in answer.text)
