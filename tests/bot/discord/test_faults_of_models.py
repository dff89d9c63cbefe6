"""Models that crash, time out or write nothing of use: the person is told in one line, and what there is stays."""

from __future__ import annotations

import pytest

from bot.language.errors import ModelTimeout
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel
from tests.bot.fakes import ScriptedModel
from tests.discord_server import eventually

BRIEF = "a tea shop by the harbour"
TIMEOUT = ModelTimeout("The model gave no answer in 120 seconds: try again, or raise KINDLING_TIMEOUT.")


async def test_a_model_that_times_out_leaves_the_sparks(stage: Stage) -> None:
    stage.model = HeldModel(fault=TIMEOUT)
    await stage.restart()
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF)
    board = await stage.alice.sees(stage.general, "no answer in 120 seconds")
    assert board is answer.response and "Sparks found" in board.text and "/inspire still works" in board.text
    assert not board.buttons
    inspired = await stage.alice.slash(stage.general, "inspire", topic=BRIEF)
    assert (await inspired.finished()).links


async def test_a_model_that_crashes_half_way_leaves_the_ideas_it_had(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.model = HeldModel(drafts=4, fault=RuntimeError("secret path /home/owner/model.gguf"))
    await stage.restart()
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=8)
    board = await stage.alice.sees(stage.general, "went wrong on our side")
    assert "2 ideas are kept" in board.text and "secret" not in board.text
    assert len(await stage.services.studio.ideas.of(f"guild:{stage.home.id}")) == 2
    assert "secret path" in caplog.text, "the owner finds it in the log"
    caplog.clear()
    stage.model.fault = None
    stage.model.release()
    more = await stage.bob.clicks(answer.response, "More")
    await eventually(lambda: "Machine-made" in more.text)


async def test_a_model_that_writes_nothing_of_use_says_so(stage: Stage) -> None:
    stage.model = ScriptedModel(lambda messages, seed: "Sure! Here is an idea.")
    await stage.restart()
    await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=2)
    await stage.alice.sees(stage.general, "nothing fit to show")


@pytest.mark.parametrize("label", ["Expand", "More"])
async def test_a_press_on_a_model_that_times_out_is_answered(stage: Stage, label: str) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=1)
    await stage.alice.sees(stage.general, "Machine-made")
    stage.model = HeldModel(fault=TIMEOUT)
    await stage.restart()
    press = await stage.alice.clicks(answer.response, label)
    assert press.failure is None
    await eventually(lambda: "no answer in 120 seconds" in press.text)
    assert not any(message.loading for message in press.messages)
    if label == "Expand":
        assert press.response.ephemeral and not stage.bob.reads(stage.general)[1:]
