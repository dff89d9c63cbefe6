"""Discord's bad days: dropped gateways, failing edits, deleted messages, lost rights. Nothing is lost by any."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bot.ideation.journal import Entry
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel
from tests.discord_server import Message, eventually

BRIEF = "a tea shop by the harbour"


@pytest.fixture
async def model() -> HeldModel:
    """It finishes three drafts of a request and waits."""
    return HeldModel(drafts=3)


async def half_grown(stage: Stage, **options: object) -> Message:
    """A board with an idea on it, and more to come."""
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=4, **options)
    await eventually(lambda: "### 1." in answer.text)
    return answer.response


async def journal(stage: Stage) -> list[Entry]:
    """What the journal holds once the run has ended."""
    stage.model.release()
    await eventually(lambda: not list(stage.bot.at_work), within=15)
    return await stage.services.studio.ideas.of(f"guild:{stage.home.id}")


async def test_a_dropped_gateway_is_resumed_and_what_was_pressed_meanwhile_is_answered(stage: Stage) -> None:
    board = await half_grown(stage)
    await stage.server.gateway.drop()
    press = asyncio.create_task(stage.bob.clicks(board, board.buttons[0].custom_id or ""))
    await eventually(lambda: stage.server.gateway.resumes == 1, within=15)
    assert len(await journal(stage)) == 4
    assert "4 ideas" in board.text
    assert (await press).failure is None
    await eventually(lambda: "Vote · 1" in [button.label for button in board.buttons])
    assert "4 ideas" in board.text, "the vote of then did not bring back the board of then"


async def test_a_refused_resume_begins_a_new_session(stage: Stage) -> None:
    board = await half_grown(stage)
    stage.server.gateway.refuse_resume()
    await stage.server.gateway.drop()
    await eventually(lambda: stage.server.gateway.identifies == 2, within=25)
    assert len(await journal(stage)) == 4 and "4 ideas" in board.text
    await stage.server.gateway.until_connected()
    vote = await stage.bob.clicks(board, board.buttons[0].custom_id or "")
    assert vote.failure is None
    await eventually(lambda: "Vote · 1" in [button.label for button in board.buttons])
    assert len(stage.told) == 1, "the invite address is told once, not with every session"


@pytest.mark.parametrize(
    "trouble",
    [{"status": 429, "retry_after": 0.2}, {"status": 500}, {"status": None}, {"status": 500, "applied": True}],
    ids=["429", "500", "broken line", "lost answer"],
)
async def test_an_edit_that_fails_is_made_good(stage: Stage, trouble: dict[str, object]) -> None:
    board = await half_grown(stage)
    fault = stage.server.fail_next("PATCH", "/webhooks/...", **trouble)
    assert len(await journal(stage)) == 4
    assert fault.met == 1 and "4 ideas" in board.text and "### 4." in board.text


async def test_a_board_deleted_while_it_grows_leaves_its_ideas_in_the_journal(stage: Stage) -> None:
    board = await half_grown(stage)
    await stage.server.member("moderator", stage.home, permissions=["manage_messages"]).deletes(board)
    assert len(await journal(stage)) == 4
    told = await stage.alice.sees(stage.general, "could not be shown to its end")
    assert told.ephemeral and "/ideas list" in told.text and "4 ideas" in told.text


async def test_rights_taken_away_do_not_hinder_a_board_whose_token_lives(stage: Stage) -> None:
    board = await half_grown(stage)
    stage.server.overwrite(stage.general, stage.home.everyone, deny=["send_messages"])
    assert len(await journal(stage)) == 4 and "4 ideas" in board.text


async def test_rights_taken_away_and_token_gone_the_asker_is_told(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    board = await half_grown(stage)
    stage.server.overwrite(stage.general, stage.server.bot, deny=["view_channel"])
    stage.server.clock.advance(minutes=16)
    assert len(await journal(stage)) == 4
    assert "Stop" in [button.label for button in board.buttons], "nothing could reach it"
    told = await stage.alice.sees(stage.alice.dm, "could not be shown to its end")
    assert "4 ideas" in told.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_archived_thread_is_opened_again_for_the_board_in_it(stage: Stage) -> None:
    thread = await stage.alice.starts_thread(stage.general, "lamps")
    answer = await stage.alice.slash(thread, "brainstorm", brief=BRIEF, count=4)
    await eventually(lambda: "### 1." in answer.text)
    await stage.alice.archives(thread)
    stage.server.clock.advance(minutes=16)
    assert len(await journal(stage)) == 4
    assert "4 ideas" in answer.text and not thread.archived


async def test_an_interaction_that_is_answered_too_late_harms_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.server.delay_next("POST", "/interactions/.../callback", 3.3)
    late = await stage.alice.slash(stage.general, "inspire")
    assert late.failure is not None
    await eventually(lambda: any("could not tell" in record.getMessage() for record in caplog.records))
    caplog.clear()
    again = await stage.alice.slash(stage.general, "inspire")
    assert "Sparks" in (await again.finished()).text


async def test_who_cannot_be_reached_is_no_error(stage: Stage) -> None:
    stage.alice.user.accepts_dms = False
    board = await half_grown(stage)
    await stage.server.member("moderator", stage.home, permissions=["manage_messages"]).deletes(board)
    stage.server.clock.advance(minutes=16)
    assert len(await journal(stage)) == 4
