"""/about, /help and /privacy."""

from __future__ import annotations

import json

from bot.ui.commands import slash_commands
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import grounded_idea
from tests.discord_server import Person, Upload, eventually


async def test_about_says_which_model_and_library_this_is_and_what_to_expect(stage: Stage) -> None:
    await stage.alice.slash(stage.general, "about")
    told = await stage.alice.sees(stage.general, "## Kindling")
    own, starter = await stage.services.studio.shelf.sizes(f"guild:{stage.home.id}")
    assert told.ephemeral and "scripted" in told.text and own == 0 and f"{starter:,} that I come with" in told.text


async def test_help_lists_every_command(stage: Stage) -> None:
    await stage.alice.slash(stage.alice.dm, "help")
    await stage.alice.sees(stage.alice.dm, "In the menu of a message")
    text = "\n".join(message.text for message in stage.alice.reads(stage.alice.dm))
    assert all(f"/{one.qualified_name}" in text and one.description in text for one in slash_commands(stage.bot.tree))
    assert "Save as inspiration" in text


class TestPrivacy:
    async def test_what_is_kept_is_said(self, stage: Stage) -> None:
        await stage.alice.slash(stage.general, "privacy show")
        assert (await stage.alice.sees(stage.general, "Votes, keeps and duels")).ephemeral

    async def test_tuning_is_off_until_a_person_agrees_and_they_can_take_it_back(self, stage: Stage) -> None:
        studio, me = stage.services.studio, f"user:{stage.alice.user.id}"
        stage.model.script = grounded_idea
        await stage.alice.slash(stage.general, "brainstorm", brief="a clock for the harbour", count=1)
        board = await stage.alice.sees(stage.general, "Machine-made")
        await stage.alice.clicks(board, "Keep")
        await eventually(lambda: "Kept · 1" in [one.label for one in board.buttons])

        async def told(person: Person, command: str, **options: object) -> str:
            answer = await (await person.slash(stage.general, command, **options)).finished()
            assert answer.ephemeral
            return answer.text

        async def learned() -> int:
            return len((await studio.tuning.lessons()).entries)

        assert "learns nothing from what you keep" in await told(stage.alice, "privacy show") and await learned() == 0
        await told(stage.bob, "privacy tuning", agreed=True)
        assert await learned() == 0  # bob kept nothing
        assert "tuning agreed:False` takes it back" in await told(stage.alice, "privacy tuning", agreed=True)
        await stage.restart()
        studio = stage.services.studio
        assert "you agreed" in await told(stage.alice, "privacy show") and await learned() == 1
        answer = await (await stage.alice.slash(stage.general, "privacy export")).finished()
        assert json.loads(answer.attachments[0].upload.data)["agreed_to_tuning"] == await studio.tuning.agreed(me)
        assert "learns nothing" in await told(stage.alice, "privacy tuning", agreed=False) and await learned() == 0

        await told(stage.alice, "privacy tuning", agreed=True)
        await stage.alice.slash(stage.general, "privacy forget")
        await stage.alice.clicks(await stage.alice.sees(stage.general, "Forget me?"), "Forget me")
        await stage.alice.sees(stage.general, "Forgotten:")
        assert await studio.tuning.agreed(me) is None

    async def test_a_person_gets_all_that_is_theirs_and_then_is_forgotten(self, stage: Stage) -> None:
        stage.model.script = grounded_idea
        studio, me, guild = stage.services.studio, f"user:{stage.alice.user.id}", f"guild:{stage.home.id}"
        await stage.alice.slash(stage.general, "brainstorm", brief="a clock for the harbour", count=1)
        board = await stage.alice.sees(stage.general, "Machine-made")
        await stage.alice.clicks(board, "Vote")
        await stage.alice.slash(stage.alice.dm, "brainstorm", brief="a secret bench", count=1)
        await stage.alice.sees(stage.alice.dm, "Machine-made")
        note = Upload("mine.txt", b"The zanzibar clock shows the tide.\n")
        await stage.alice.slash(stage.alice.dm, "library add", file=note)
        await stage.alice.sees(stage.alice.dm, "1 snippet added")

        answer = await stage.alice.slash(stage.general, "privacy export")
        file = await stage.alice.sees(stage.general, "All that I keep about you")
        assert file is answer.response and file.ephemeral
        record = json.loads(file.attachments[0].upload.data)
        assert [one["brief"] for one in record["ideas"]] == ["a secret bench"]
        assert [one["did"] for one in record["votes_and_keeps"]] == ["voted for"]
        assert [one["title"] for one in record["brought_to_libraries"]] == ["mine.txt"]

        await stage.alice.slash(stage.general, "privacy forget")
        question = await stage.alice.sees(stage.general, "Forget me?")
        assert len(await studio.ideas.of(me)) == 1
        await stage.restart()
        studio = stage.services.studio
        await stage.alice.clicks(question, "Forget me")
        await stage.alice.sees(stage.general, "Forgotten: 1 ideas, 1 votes, keeps and duels, 1 snippets.")
        assert await studio.ideas.of(me) == [] and await studio.shelf.sources(me) == []
        (left,) = await studio.ideas.of(guild)
        assert left.votes_for == 0
