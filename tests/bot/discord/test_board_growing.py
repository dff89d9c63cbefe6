"""How a board grows: at once, with its sparks, in turn, at its pace, over several messages, and until it is stopped."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bot.cogs import live
from bot.ideation.studio import Studio
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel
from tests.discord_server import Message, Person, eventually

BRIEF = "a tea shop by the harbour"


def ideas_on(message: Message) -> list[str]:
    """The titles of the ideas on a message, as they are read."""
    return [line.lstrip("# ") for line in message.text.splitlines() if line.startswith("### ")]


async def held(stage: Stage, drafts: int = 0, **settings: int) -> HeldModel:
    """The bot with a model that waits when it has finished so many drafts."""
    model = stage.model = HeldModel(drafts)
    await stage.restart(**settings)
    return model


async def test_a_board_is_the_answer_and_grows_to_its_end(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3)
    assert answer.failure is None
    board = await stage.alice.sees(stage.general, "Machine-made")
    assert board is answer.original
    assert [title.split(".")[0] for title in ideas_on(board)] == ["1", "2", "3"]
    assert [button.label for button in board.buttons] == [
        *("Vote", "Keep", "Twist…", "Expand", "Why") * 3,
        *("More", "Wilder", "Remix two…", "Swap sparks", "Export"),
    ]
    assert board.links and not board.previews
    first = board.revisions[0].text
    assert "Looking for sparks" in first and BRIEF in first
    assert len(await stage.services.studio.ideas.of(f"guild:{stage.home.id}")) == 3


async def test_sparks_are_read_while_the_model_still_thinks(stage: Stage) -> None:
    model = await held(stage)
    await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3)
    board = await stage.alice.sees(stage.general, "Sparks found")
    assert "Writing…" in board.text and board.links and not ideas_on(board)
    assert [button.label for button in board.buttons] == ["Stop"]
    model.release()
    await stage.alice.sees(stage.general, "Machine-made")


async def test_those_who_wait_read_their_place_and_their_sparks(stage: Stage) -> None:
    model = await held(stage, at_once=1)
    people = [stage.server.member(f"person {number}", stage.home) for number in range(3)]
    for person in people:
        await person.slash(stage.general, "brainstorm", brief=f"a lamp for {person.name}", count=1)
    await stage.alice.sees(stage.general, lambda message: "place 1." in message.text and "Sparks" in message.text)
    await stage.alice.sees(stage.general, "place 2.")
    model.release()
    for person in people:
        await stage.alice.sees(
            stage.general, lambda message, name=person.name: name in message.text and "Machine-made" in message.text
        )
    assert model.most_at_once == 1


async def test_stop_keeps_what_is_there(stage: Stage) -> None:
    model = await held(stage, drafts=6)
    answer = await stage.alice.slash(stage.general, "brainstorm", brief="a bench for two strangers", count=8)
    board = answer.response
    await eventually(lambda: len(ideas_on(board)) == 2)
    kept = ideas_on(board)
    refused = await stage.bob.clicks(board, "Stop")
    assert "Only Alice may stop this" in refused.text and refused.response.ephemeral
    stop = await stage.alice.clicks(board, "Stop")
    assert stop.failure is None
    await stage.alice.sees(stage.general, "Stopped.")
    assert ideas_on(board) == kept and "Stop" not in [button.label for button in board.buttons]
    assert model.closed_early == 1
    assert len(await stage.services.studio.ideas.of(f"guild:{stage.home.id}", containing="bench")) == len(kept)


async def test_a_moderator_may_stop_anybodys(stage: Stage) -> None:
    await held(stage)
    moderator = stage.server.member("moderator", stage.home, permissions=["manage_messages"])
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF)
    await moderator.clicks(answer.response, "Stop")
    await stage.alice.sees(stage.general, "Stopped.")


async def test_twenty_ideas_go_on_in_further_messages(stage: Stage) -> None:
    await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=20)
    await stage.alice.sees(stage.general, "Machine-made", within=15)
    boards = [message for message in stage.alice.reads(stage.general) if message.author is stage.server.bot]
    numbers = [int(title.split(".")[0]) for board in boards for title in ideas_on(board)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 10
    assert len(boards) >= 3
    assert [sum(button.label == "More" for button in board.buttons) for board in boards] == [0] * (len(boards) - 1) + [
        1
    ]


async def test_edits_keep_the_pace_of_one_in_1_2_seconds(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PACE", 1.2)
    stage.server.limits.enabled = True
    model = await held(stage, drafts=3)
    boards = [
        (await person.slash(stage.general, "brainstorm", brief=f"a gift for {person.name}", count=3)).response
        for person in (stage.alice, stage.bob)
    ]
    await eventually(lambda: all(ideas_on(board) for board in boards))
    model.release()
    for board in boards:
        await eventually(lambda board=board: "Machine-made" in board.text, within=15)
        times = [revision.at for revision in board.revisions]
        assert len(times) >= 3
        assert all(later - earlier >= 1.2 for earlier, later in pairwise(times)), times
    starts = [board.revisions[1].at for board in boards]
    assert abs(starts[0] - starts[1]) < 1.2, "each message has its own clock"


async def test_after_fifteen_minutes_the_board_goes_on_by_ordinary_edits(stage: Stage) -> None:
    model = await held(stage)
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=5)
    await stage.alice.sees(stage.general, "Writing…")
    stage.server.clock.advance(minutes=16)
    model.release()
    await stage.alice.sees(stage.general, "Machine-made")
    assert len(ideas_on(answer.response)) == 5
    assert stage.server.requests_to("PATCH", f"/channels/{stage.general.id}/messages/{answer.response.id}")
    assert stage.server.requests_to("POST", f"/channels/{stage.general.id}/messages"), "the foot is a second message"


async def test_a_private_board_that_takes_too_long_comes_by_direct_message(stage: Stage) -> None:
    model = await held(stage)
    await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3, private=True)
    await stage.alice.sees(stage.general, "Writing…")
    stage.server.clock.advance(minutes=16)
    model.release()
    board = await stage.alice.sees(stage.alice.dm, "Machine-made")
    vote = await stage.alice.clicks(board, board.buttons[0].custom_id or "")
    assert vote.failure is None
    await stage.alice.sees(stage.alice.dm, lambda message: message.buttons[0].label == "Vote · 1")


async def test_a_private_board_is_seen_and_worked_on_by_its_owner_alone(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3, private=True)
    board = await stage.alice.sees(stage.general, "Machine-made")
    assert board.ephemeral and board is answer.response and not stage.bob.reads(stage.general)
    assert not await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert len(await stage.services.studio.ideas.of(f"user:{stage.alice.user.id}")) == 3
    vote = board.buttons[0].custom_id or ""
    more = next(button.custom_id for button in board.buttons if button.label == "More") or ""
    for custom_id in (vote, more):
        refused = await forged(stage, stage.bob, board, custom_id)
        await eventually(lambda refused=refused: "somebody else's private board" in refused.text)
        assert all(message.ephemeral for message in refused.messages)
    grown = await stage.alice.clicks(board, "More")
    await eventually(lambda: "Machine-made" in grown.text)
    assert all(message.ephemeral for message in grown.messages)


async def forged(stage: Stage, person: Person, message: Message, custom_id: str):  # type: ignore[no-untyped-def]
    """A press that Discord would not offer this person: as by a client that was tampered with."""
    data = {"component_type": 2, "custom_id": custom_id, "id": 1}
    return await stage.server.interactions.set_off(3, person.user, message.channel, data, message=message)


async def test_direct_messages_have_boards_too(stage: Stage) -> None:
    await stage.alice.slash(stage.alice.dm, "brainstorm", brief=BRIEF, count=2)
    board = await stage.alice.sees(stage.alice.dm, "Machine-made")
    assert not board.ephemeral
    more = await stage.alice.clicks(board, "More")
    await eventually(lambda: "Machine-made" in more.text)


async def test_a_brief_without_words_is_refused_for_the_asker_alone(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief="?!")
    assert "A brief needs words" in answer.text and answer.response.ephemeral
    assert not stage.bob.reads(stage.general)


async def test_options_reach_the_studio(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    brainstorm = Studio.brainstorm

    def noted(studio: Studio, *args: str, **options: Any) -> object:
        asked.update(options)
        return brainstorm(studio, *args, **options)

    monkeypatch.setattr(Studio, "brainstorm", noted)
    await stage.alice.slash(
        stage.general,
        "brainstorm",
        brief=BRIEF,
        count=2,
        technique="reverse: Turn one assumption of the brief upside down.",
        distance="near: close to the brief, can be done",
        audience="tired commuters",
    )
    board = await stage.alice.sees(stage.general, "Machine-made")
    assert "(for tired commuters)" in board.text
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert {entry.idea.technique for entry in entries} == {"reverse"} and len(entries) == 2
    assert asked["distance"] == "near"


async def test_a_channels_rules_fill_in_what_was_not_asked(stage: Stage) -> None:
    await stage.services.studio.rules.set(stage.home.id, stage.general.id, audience="sailors", count=2)
    thread = await stage.alice.starts_thread(stage.general, "lamps")
    await stage.alice.slash(thread, "brainstorm", brief="a lamp")
    board = await stage.alice.sees(thread, "Machine-made")
    assert "(for sailors)" in board.text and len(ideas_on(board)) == 2


async def test_a_message_becomes_a_brief(stage: Stage) -> None:
    said = await stage.bob.says(stage.general, "We need something for the rainy bus stop, " + "very wet " * 100)
    answer = await stage.alice.uses_menu("Brainstorm from this", said)
    await stage.alice.sees(stage.general, "Machine-made", after=said)
    assert "rainy bus stop" in answer.text and ideas_on(answer.messages[0])
    empty = await stage.bob.says(stage.general, "…")
    refused = await stage.alice.uses_menu("Brainstorm from this", empty)
    assert refused.response.ephemeral and "needs words" in refused.text


async def test_a_third_request_of_one_person_must_wait_for_an_earlier(stage: Stage) -> None:
    model = await held(stage)
    for number in range(2):
        await stage.alice.slash(stage.general, "brainstorm", brief=f"a lamp, {number}")
    refused = await stage.alice.slash(stage.general, "brainstorm", brief="a third lamp")
    assert "earlier request" in refused.text and refused.response.ephemeral
    model.release()
