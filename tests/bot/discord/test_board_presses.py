"""What every button, select and form of a board does, on a board that was made before the bot was restarted."""

from __future__ import annotations

import discord
import pytest
from discord import ui

from bot.ui.layout import sealed
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel, grounded_idea
from tests.bot.fakes import ScriptedModel
from tests.discord_server import Interaction, Message, eventually

BRIEF = "a tea shop by the harbour"
OUTLINE = "\n".join(f"{number}. Carry the {number} kettles to the harbour wall before noon." for number in range(1, 6))


def told(messages, seed):  # type: ignore[no-untyped-def]
    """An idea, or an outline where one is asked for."""
    return OUTLINE if messages[-1].text == "1." else grounded_idea(messages, seed)


@pytest.fixture
async def model() -> ScriptedModel:
    return ScriptedModel(told)


@pytest.fixture
async def board(stage: Stage) -> Message:
    """A finished board of three ideas that the bot has forgotten: it was restarted after it was made."""
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=3)
    await stage.alice.sees(stage.general, "Machine-made")
    await stage.restart()
    return answer.response


def button(message: Message, label: str, number: int = 1) -> str:
    """The custom id of the `number`th button that is labelled so."""
    return [one.custom_id or "" for one in message.buttons if one.label.split(" · ")[0] == label][number - 1]


def labels(message: Message, *names: str) -> list[str]:
    """The labels of the buttons that are called so, with their counts."""
    return [one.label for one in message.buttons if one.label.split(" · ")[0] in names]


async def grown(press: Interaction) -> Message:
    """The board that a press made, when it is finished."""
    assert press.failure is None
    await eventually(lambda: "Machine-made" in press.text)
    return press.messages[0]


async def test_votes_are_one_a_person_and_can_be_taken_back(stage: Stage, board: Message) -> None:
    before = board.text
    for person in (stage.alice, stage.bob):
        press = await person.clicks(board, button(board, "Vote", 2))
        assert press.failure is None and press.answer == 6, "acknowledged without a message"
    await eventually(lambda: labels(board, "Vote") == ["Vote", "Vote · 2", "Vote"])
    await stage.alice.clicks(board, button(board, "Vote", 2))
    await eventually(lambda: labels(board, "Vote") == ["Vote", "Vote · 1", "Vote"])
    await stage.bob.clicks(board, button(board, "Vote", 2))
    await eventually(lambda: labels(board, "Vote") == ["Vote", "Vote", "Vote"])
    assert board.text == before


async def test_ideas_are_kept_and_let_go(stage: Stage, board: Message) -> None:
    await stage.alice.clicks(board, button(board, "Keep"))
    await eventually(lambda: labels(board, "Keep", "Kept") == ["Kept · 1", "Keep", "Keep"])
    kept = await stage.services.studio.ideas.of(f"guild:{stage.home.id}", kept=True)
    assert [entry.kept_by for entry in kept] == [(f"user:{stage.alice.user.id}",)]
    await stage.alice.clicks(board, button(board, "Kept"))
    await eventually(lambda: labels(board, "Keep", "Kept") == ["Keep", "Keep", "Keep"])


async def test_an_idea_is_twisted_by_choice_or_in_own_words(stage: Stage, board: Message) -> None:
    press = await stage.bob.clicks(board, button(board, "Twist…"))
    assert press.modal is not None
    twisted = await grown(await stage.bob.submits(press, {"Make it": "darker"}))
    assert "Twist, darker: The" in twisted.text and "twist: darker" in twisted.text and not twisted.ephemeral
    assert labels(twisted, "Vote") == ["Vote"] and not labels(twisted, "More")
    press = await stage.bob.clicks(board, button(board, "Twist…"))
    own = await grown(await stage.bob.submits(press, {"Make it": "darker", "words": "set in winter"}))
    assert "twist: set in winter" in own.text
    press = await stage.bob.clicks(board, button(board, "Twist…"))
    refused = await stage.bob.submits(press, {})
    assert refused.response.ephemeral and "Say how to twist it" in refused.text
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert [entry.idea.how for entry in entries if entry.idea.how] == ["darker", "set in winter"]


async def test_a_form_that_was_open_over_a_restart_still_counts(stage: Stage, board: Message) -> None:
    press = await stage.bob.clicks(board, button(board, "Twist…"))
    await stage.restart()
    assert "twist: quieter" in (await grown(await stage.bob.submits(press, {"Make it": "quieter"}))).text


async def test_an_idea_is_expanded_into_steps(stage: Stage, board: Message) -> None:
    press = await stage.bob.clicks(board, button(board, "Expand"))
    steps = await press.finished()
    assert "step by step" in steps.text and "5. Carry the 5 kettles" in steps.text


async def test_why_tells_the_sparks_to_the_asker_alone(stage: Stage, board: Message) -> None:
    press = await stage.bob.clicks(board, button(board, "Why", 2))
    why = await press.finished()
    assert why.ephemeral and why.links and not why.previews
    assert all(word in why.text for word in ("Brief:", "Technique:", "Spark:", "seed", "scripted"))


async def test_more_and_wilder_go_on_with_the_session(stage: Stage, board: Message) -> None:
    more = await grown(await stage.bob.clicks(board, "More"))
    assert f"More: {BRIEF}" in more.text and "### 4. " in more.text
    wilder = await grown(await stage.alice.clicks(board, "Wilder"))
    assert f"Wilder: {BRIEF}" in wilder.text and "### 9. " in wilder.text
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    assert len({entry.idea.session_id for entry in entries}) == 1
    sparks = [hit.snippet.id for entry in entries for hit in entry.idea.sparks]
    assert len(sparks) == len(set(sparks)) == len(entries), "no spark is used twice"


async def test_two_ideas_are_remixed(stage: Stage, board: Message) -> None:
    asked = await (await stage.bob.clicks(board, "Remix two…")).finished()
    assert asked.ephemeral and len(asked.selects[0].options) == 3
    (_, first), (_, second), _ = asked.selects[0].options
    remix = await grown(await stage.bob.picks(asked, "Which two?", [first, second]))
    assert not remix.ephemeral and "Remix: " in remix.text
    (entry,) = [
        entry
        for entry in await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
        if len(entry.idea.parents) == 2
    ]
    assert entry.idea.parents == (first, second) and len(entry.idea.sparks) == 2


async def test_an_idea_gets_another_spark(stage: Stage, board: Message) -> None:
    asked = await (await stage.bob.clicks(board, "Swap sparks")).finished()
    idea_id = asked.selects[0].options[1][1]
    swapped = await grown(await stage.bob.picks(asked, asked.selects[0].custom_id, idea_id))
    assert "Another spark: " in swapped.text and "with another spark" in swapped.text
    entries = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
    (new,) = [entry.idea for entry in entries if entry.idea.parents]
    old = next(entry.idea for entry in entries if entry.idea.id == idea_id)
    assert new.technique == old.technique and new.parents == (idea_id,)
    assert {hit.snippet.id for hit in new.sparks}.isdisjoint(
        hit.snippet.id for entry in entries for hit in entry.idea.sparks if entry.idea is not new
    )


async def test_a_session_is_exported_as_one_page(stage: Stage, board: Message) -> None:
    press = await stage.bob.clicks(board, "Export")
    page = await press.finished()
    (file,) = page.attachments
    text = file.upload.data.decode()
    assert page.ephemeral and file.upload.name == "a-tea-shop-by-the-harbour.md"
    assert f"## {BRIEF}" in text and text.count("First step:") == 3 and "Spark: [" in text


async def test_a_board_of_ten_is_voted_on_while_it_grows(stage: Stage) -> None:
    model = stage.model = HeldModel(drafts=6)
    await stage.restart()
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=10)
    board = answer.response
    await eventually(lambda: labels(board, "Vote"))
    await stage.bob.clicks(board, button(board, "Vote"))
    await eventually(lambda: "Vote · 1" in labels(board, "Vote"))
    model.release()
    await stage.alice.sees(stage.general, "Machine-made")
    assert labels(board, "Vote")[0] == "Vote · 1", "the board did not forget the vote when it went on"


async def test_many_votes_at_once_make_few_edits(stage: Stage, board: Message) -> None:
    edits = len(board.revisions)
    people = [stage.server.member(f"voter {number}", stage.home) for number in range(25)]
    custom_id = button(board, "Vote")
    presses = [await person.clicks(board, custom_id) for person in people]
    assert not any(press.failure for press in presses)
    await eventually(lambda: labels(board, "Vote")[0] == "Vote · 25")
    assert len(board.revisions) - edits < 25


async def test_stop_on_a_board_that_a_restart_cut_off_gives_it_an_end(stage: Stage) -> None:
    stage.model = HeldModel(drafts=8)
    await stage.restart()
    answer = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=6)
    board = answer.response
    await eventually(lambda: labels(board, "Vote"))
    cut_off = board.revisions[-1]
    stage.model = ScriptedModel(told)
    await stage.restart()
    board.components, board.content = cut_off.components, cut_off.content  # as after a crash, which says no goodbye
    press = await stage.alice.clicks(board, "Stop")
    assert press.failure is None
    await eventually(lambda: "Kindling was restarted" in board.text)
    assert labels(board, "Vote") and labels(board, "Stop") == []
    await grown(await stage.alice.clicks(board, "More"))


async def test_a_button_of_another_version_says_so(stage: Stage) -> None:
    channel = stage.bot.get_channel(stage.general.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.send(view=sealed(ui.ActionRow(ui.Button(label="Vote", custom_id="k0:vote:12"))))
    old = await stage.alice.sees(stage.general, lambda message: bool(message.buttons))
    press = await stage.alice.clicks(old, "Vote")
    assert press.response.ephemeral and "another version" in press.text


async def test_a_deleted_idea_says_so(stage: Stage, board: Message) -> None:
    custom_id = "k1:why:" + "0" * 10
    data = {"component_type": 2, "custom_id": custom_id, "id": 1}
    channel = stage.bot.get_channel(stage.general.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.send(view=sealed(ui.ActionRow(ui.Button(label="Why", custom_id=custom_id))))
    stray = await stage.alice.sees(stage.general, lambda message: len(message.buttons) == 1)
    press = await stage.server.interactions.set_off(3, stage.alice.user, stage.general, data, message=stray)
    await eventually(lambda: "was deleted" in press.text)


async def test_nothing_is_kept_in_memory_for_a_message(stage: Stage, board: Message) -> None:
    await stage.alice.clicks(board, button(board, "Vote"))
    await eventually(lambda: "Vote · 1" in labels(board, "Vote"))
    await stage.alice.clicks(board, button(board, "Twist…"))
    store = stage.bot._connection._view_store
    assert not store._views and not store._modals and not store._synced_message_views
