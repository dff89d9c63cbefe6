"""Talking with the bot: who is answered, what belongs to a conversation, how a reply streams, and what goes wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest

from bot.cogs import live
from bot.language.base import Continuation, Piece
from bot.language.base import Message as Turn
from bot.language.errors import ModelTimeout
from tests.bot.discord.conftest import Stage
from tests.bot.fakes import ScriptedModel
from tests.discord_server import Message
from tests.discord_server.fixtures import eventually

REPLY = "Hang a bell in the tide [1] and let it ring the hours. Or paint the quay by hand. Which is nearer to you?"


def echo(messages: Sequence[Turn], seed: int) -> str:
    """What was asked, said back, with a citation: tells a test whose words reached the model."""
    asked = messages[-1].text.partition("Message: ")[2]
    return f"You wrote {asked!r} and I would hang a bell there [1]."


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    stage.model.script = lambda messages, seed: REPLY
    return stage


def at(stage: Stage, text: str) -> str:
    return f"{stage.server.bot.mention} {text}"


def replies(stage: Stage, channel: object = None) -> list[Message]:
    where = channel or stage.general
    return [one for one in where.messages.values() if one.author is stage.server.bot]  # type: ignore[attr-defined]


class PausedModel(ScriptedModel):
    """Writes `free` words, then waits until `release()`; `fault`, where given, is raised instead."""

    def __init__(self, free: int = 0, fault: Exception | None = None) -> None:
        super().__init__(lambda messages, seed: REPLY)
        self.free = free
        self.fault = fault
        self.begun = 0
        self.at_once = 0
        self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    async def stream(
        self, shared: Sequence[Turn], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        self.begun += 1
        self.at_once += 1
        written = 0
        try:
            async with aclosing(super().stream(shared, continuations)) as pieces:
                async for piece in pieces:
                    if written == self.free:
                        if self.fault is not None:
                            raise self.fault
                        await self._released.wait()
                    written += 1
                    yield piece
        finally:
            self.at_once -= 1


class TestWhoIsAnswered:
    async def test_a_mention_is_answered_as_a_reply_with_its_sparks_as_numbered_links(self, stage: Stage) -> None:
        asked = await stage.alice.says(stage.general, at(stage, "a harbour clock for people who are late"))
        answer = await stage.alice.sees(stage.general, "-# [1]")
        assert answer.reply_to is asked and answer.content.startswith(REPLY)
        assert re.search(r"\n-# \[1\] \[[^\]]+\]\(<https?://[^>]+>\)$", answer.content)
        assert not answer.pings and not answer.previews
        turn = stage.model.asked[-1][-1].text
        assert turn.startswith("Sparks:\n[1] ") and turn.endswith("Message: a harbour clock for people who are late")
        assert stage.general.typing

    async def test_the_bots_own_role_counts_as_its_name(self, stage: Stage) -> None:
        role = next(role for role in stage.home.roles.values() if role.bot_id)
        role.mentionable = True
        await stage.alice.says(stage.general, f"<@&{role.id}> a harbour clock")
        await stage.alice.sees(stage.general, REPLY)
        assert stage.model.asked[-1][-1].text.endswith("Message: a harbour clock")

    async def test_a_direct_message_needs_no_mention_and_remembers_what_was_said(self, stage: Stage) -> None:
        await stage.alice.says(stage.alice.dm, "a harbour clock")
        first = await stage.alice.sees(stage.alice.dm, "-# [1]")
        await stage.alice.says(stage.alice.dm, "and a smaller one?")
        await stage.alice.sees(stage.alice.dm, "-# [1]", after=first)
        said = [(turn.role, turn.text) for turn in stage.model.asked[-1]]
        assert said[1:3] == [("user", "a harbour clock"), ("assistant", REPLY)]

    async def test_a_reply_to_the_bot_needs_no_ping_and_its_chain_is_the_conversation(self, stage: Stage) -> None:
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        first = await stage.alice.sees(stage.general, "-# [1]")
        await stage.bob.says(stage.general, "nothing to do with it")
        second = await stage.alice.says(stage.general, "smaller, please", reply_to=first, ping=False)
        reply = await stage.alice.sees(stage.general, "-# [1]", after=second)
        await stage.alice.says(stage.general, "and in the dark?", reply_to=reply)
        await stage.alice.sees(stage.general, "-# [1]", after=reply)
        said = [turn.text for turn in stage.model.asked[-1][1:-1]]
        assert said == ["a harbour clock", REPLY, "smaller, please", REPLY]

    async def test_a_thread_that_it_opened_needs_no_mention(self, stage: Stage) -> None:
        answer = await stage.alice.slash(stage.general, "chat", topic="a harbour clock")
        thread = await eventually(lambda: next(iter(stage.home.threads.values()), None))
        assert answer.response.ephemeral and thread.name == "a harbour clock"
        first = await stage.alice.sees(thread, "-# [1]")
        await stage.alice.says(thread, "and smaller?")
        await stage.alice.sees(thread, "-# [1]", after=first)
        assert [turn.role for turn in stage.model.asked[-1]] == ["system", "user", "assistant", "user"]
        count = len(replies(stage, thread))
        await stage.bob.says(thread, f"{stage.alice.mention} what do you think?")
        await stage.alice.says(thread, "I like it", reply_to=list(thread.messages.values())[-1])
        await stage.alice.says(thread, "shall we?")
        await stage.alice.sees(thread, lambda message: len(replies(stage, thread)) == count + 1)

    async def test_it_never_butts_in(self, stage: Stage) -> None:
        robot = stage.server.member("robot", stage.home, bot=True)
        theirs = await stage.bob.says(stage.general, "a harbour clock?")
        await robot.says(stage.general, at(stage, "a harbour clock"))
        await stage.alice.says(stage.general, "Kindling would know", reply_to=theirs)
        thread = await stage.alice.starts_thread(stage.general, "ours")
        await stage.alice.says(thread, "a harbour clock")
        await stage.alice.says(stage.general, "@everyone a harbour clock")
        await stage.alice.says(stage.general, at(stage, "now you"))
        await stage.alice.sees(stage.general, "-# [1]")
        assert len(replies(stage)) == 1 and len(stage.model.asked) == 1 and not replies(stage, thread)

    async def test_words_are_asked_for_when_there_are_none(self, stage: Stage) -> None:
        await stage.alice.says(stage.general, at(stage, ""))
        await stage.alice.sees(stage.general, "What are you working on?")
        await stage.bob.says(stage.bob.dm, "🙂")
        await stage.bob.sees(stage.bob.dm, "needs words")
        assert not stage.model.asked

    async def test_without_the_intent_it_answers_what_it_can_read(self, stage: Stage) -> None:
        await stage.restart(message_content=False)
        first = await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "-# [1]", after=first)
        await stage.alice.says(stage.general, "a clock, unpinged", reply_to=answer, ping=False)
        reply = await stage.alice.says(stage.general, "smaller?", reply_to=answer)
        second = await stage.alice.sees(stage.general, "-# [1]", after=reply)
        assert second.reply_to is reply and "unpinged" not in str(stage.model.asked)
        await stage.alice.says(stage.alice.dm, "a lamp")
        await stage.alice.sees(stage.alice.dm, "-# [1]")
        await stage.alice.slash(stage.general, "chat")
        thread = await eventually(lambda: next(iter(stage.home.threads.values()), None))
        await stage.alice.sees(thread, "Mention me in each message")
        await stage.alice.sees(stage.general, "Let's talk in")

    async def test_a_conversation_about_a_board_takes_its_words_along(self, stage: Stage) -> None:
        stage.model.script = lambda messages, seed: REPLY
        await stage.alice.slash(stage.general, "inspire", topic="harbour")
        board = await stage.alice.sees(stage.general, "no model was asked")
        await stage.alice.says(stage.general, "the first one, smaller", reply_to=board)
        await stage.alice.sees(stage.general, "-# [1]", after=board)
        assert [turn.role for turn in stage.model.asked[-1]] == ["system", "user"]
        assert (
            "the first one, smaller" in stage.model.asked[-1][-1].text
            and "Sparks: harbour" in stage.model.asked[-1][-1].text
        )


class TestTheWall:
    async def test_conversations_of_people_channels_and_servers_never_mix(self, stage: Stage) -> None:
        stage.model.script = echo
        other = stage.server.channel("other", stage.home)
        away = stage.server.guild("Away")
        far = next(iter(away.channels.values()))
        carol = stage.server.member("carol", away)
        await stage.alice.says(stage.general, at(stage, "a secret lantern"))
        await stage.bob.says(other, at(stage, "a quiet kettle"))
        await carol.says(far, at(stage, "a distant bell"))
        for person, channel, word in (
            (stage.alice, stage.general, "lantern"),
            (stage.bob, other, "kettle"),
            (carol, far, "bell"),
        ):
            answer = await person.sees(channel, f"{word}' and I would")
            asked = next(one for one in stage.model.asked if word in one[-1].text.partition("Message: ")[2])
            assert len(asked) == 2 and answer.channel is channel

    async def test_sparks_come_from_the_own_server_alone(self, stage: Stage) -> None:
        away = stage.server.guild("Away")
        far, carol = (
            next(iter(away.channels.values())),
            stage.server.member("carol", away, permissions=["manage_messages"]),
        )
        post = await carol.says(far, "The zanzibar harbour keeps a glockenspiel for late ferries.")
        await carol.uses_menu("Save as inspiration", post)
        await carol.sees(far, "Saved")
        await stage.alice.says(stage.general, at(stage, "a glockenspiel for late zanzibar ferries"))
        await stage.alice.sees(stage.general, "-# [1]")
        assert "zanzibar harbour" not in str(stage.model.asked[-1])
        await carol.says(far, at(stage, "a glockenspiel for late zanzibar ferries"))
        await carol.sees(far, "-# [1]")
        assert "zanzibar harbour" in str(stage.model.asked[-1])


class TestStreaming:
    async def test_edits_keep_their_pace_and_the_last_state_lands(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "PACE", 0.4)
        model = stage.model = PausedModel(free=8)
        model.script = lambda messages, seed: " ".join(f"word{n}" for n in range(400)) + " [1]."
        await stage.restart()
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "word7")
        model.release()
        await stage.alice.sees(stage.general, "-# [1]")
        for message in replies(stage):
            times = [revision.at for revision in message.revisions]
            assert all(later - earlier >= 0.2 for earlier, later in pairwise(times)), times
        assert len(answer.revisions) >= 2 and len(answer.revisions[0].content) < len(answer.content)

    async def test_a_long_reply_goes_on_in_further_messages_whose_chain_is_one_turn(self, stage: Stage) -> None:
        code = "```py\n" + "\n".join(f"print({n})" for n in range(60)) + "\n```"
        long = f"{'A bell rings in the harbour. ' * 60}\n{code}\nWhich one? [1]"
        stage.model.script = lambda messages, seed: long
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        last = await stage.alice.sees(stage.general, "-# [1]")
        first, *others = replies(stage)
        assert others and last is others[-1] and others[0].reply_to is first
        assert all(len(message.content) <= 2000 and message.content.count("```") % 2 == 0 for message in replies(stage))
        assert code in last.content
        await stage.alice.says(stage.general, "the second", reply_to=last)
        await stage.alice.sees(stage.general, "-# [1]", after=last)
        assert [turn.role for turn in stage.model.asked[-1]] == ["system", "user", "assistant", "user"]

    async def test_invented_turns_of_the_other_person_are_cut_and_stop_the_model(self, stage: Stage) -> None:
        stage.model.script = lambda messages, seed: f"{REPLY}\nHuman: and then?\nAI: {'more ' * 50}"
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "-# [1]")
        assert "and then" not in answer.content and "more" not in answer.content
        assert stage.model.closed_early == 1

    async def test_what_the_model_writes_cannot_mention_or_link(self, stage: Stage) -> None:
        stage.model.script = lambda messages, seed: (
            f"@everyone {stage.bob.mention} see [this](https://evil.example) or https://evil.example [9]."
        )
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "no spark used")
        assert not answer.pings and not answer.previews and "[9]" not in answer.content
        assert "see [this\\](https\\://evil.example)" in answer.content and "\\<@" in answer.content

    async def test_a_message_that_is_deleted_while_it_is_answered_gets_no_answer(self, stage: Stage) -> None:
        model = stage.model = PausedModel()
        await stage.restart()
        asked = await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        await eventually(lambda: model.begun)
        await stage.alice.deletes(asked)
        await eventually(lambda: model.at_once == 0)
        model.release()
        model.script = lambda messages, seed: REPLY
        await stage.alice.says(stage.general, at(stage, "another"))
        await stage.alice.sees(stage.general, "-# [1]")
        assert len(replies(stage)) == 1


class TestTrouble:
    async def test_when_the_model_fails_there_are_sparks_and_one_line(self, stage: Stage) -> None:
        def script(messages: Sequence[Turn], seed: int) -> str:
            raise ModelTimeout("The language model took too long.")

        stage.model.script = script
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "took too long")
        assert "These sparks need no model" in answer.content and "\n[1] " in answer.content

    async def test_when_it_fails_half_way_what_was_said_stays(self, stage: Stage) -> None:
        stage.model = PausedModel(free=12, fault=ModelTimeout("The language model took too long."))
        await stage.restart()
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "It ended there")
        assert answer.content.startswith("Hang a bell in the tide") and "took too long" in answer.content

    async def test_when_it_has_no_words_sparks_stand_alone(self, stage: Stage) -> None:
        stage.model.script = lambda messages, seed: "User: hello"
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        assert "[1] " in (await stage.alice.sees(stage.general, "no words for that")).content

    async def test_whoever_asks_too_much_at_once_is_told_kindly(self, stage: Stage) -> None:
        model = stage.model = PausedModel()
        await stage.restart(each_person=1)
        await stage.alice.says(stage.general, at(stage, "one"))
        await eventually(lambda: model.begun)
        await stage.alice.says(stage.general, at(stage, "two"))
        await stage.alice.sees(stage.general, "earlier request")
        model.release()

    async def test_an_answer_that_is_deleted_while_it_streams_stops_the_model(
        self, stage: Stage, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = stage.model = PausedModel(free=12)
        model.script = lambda messages, seed: "word " * 100
        await stage.restart()
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "word word")
        moderator = stage.server.member("mod", stage.home, permissions=["manage_messages"])
        await moderator.deletes(answer)
        model.release()
        await eventually(lambda: model.at_once == 0)
        await eventually(lambda: not list(stage.bot.at_work))

    async def test_errors_of_discord_in_mid_edit_cost_nothing(self, stage: Stage) -> None:
        model = stage.model = PausedModel(free=12)
        await stage.restart()
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        await stage.alice.sees(stage.general, "Hang a bell")
        stage.server.fail_next("PATCH", "/channels/.../messages/...", status=500)
        stage.server.fail_next("PATCH", "/channels/.../messages/...", status=429, retry_after=0.05)
        model.release()
        assert REPLY in (await stage.alice.sees(stage.general, "-# [1]", within=10)).content

    async def test_a_thread_that_is_archived_meanwhile_is_opened_again(self, stage: Stage) -> None:
        model = stage.model = PausedModel(free=12)
        await stage.restart()
        await stage.alice.slash(stage.general, "chat", topic="a harbour clock")
        thread = await eventually(lambda: next(iter(stage.home.threads.values()), None))
        await stage.alice.sees(thread, "Hang a bell")
        moderator = stage.server.member("mod", stage.home, permissions=["manage_threads"])
        await moderator.archives(thread)
        model.release()
        assert REPLY in (await stage.alice.sees(thread, "-# [1]")).content

    async def test_a_channel_that_is_closed_meanwhile_harms_nobody(self, stage: Stage) -> None:
        model = stage.model = PausedModel()
        await stage.restart()
        await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        await eventually(lambda: model.begun)
        stage.server.overwrite(stage.general, stage.home.everyone, deny=["send_messages"])
        model.release()
        await eventually(lambda: not list(stage.bot.at_work))
        assert not replies(stage)

    async def test_a_chain_that_ends_at_a_deleted_message_is_answered_from_there(self, stage: Stage) -> None:
        asked = await stage.alice.says(stage.general, at(stage, "a harbour clock"))
        answer = await stage.alice.sees(stage.general, "-# [1]")
        second = await stage.alice.says(stage.general, "smaller", reply_to=answer)
        last = await stage.alice.sees(stage.general, "-# [1]", after=second)
        await stage.alice.deletes(asked)
        await stage.alice.says(stage.general, "darker", reply_to=last)
        await stage.alice.sees(stage.general, "-# [1]", after=last)
        assert [turn.text for turn in stage.model.asked[-1][1:-1]] == [f"{REPLY} smaller", REPLY]
