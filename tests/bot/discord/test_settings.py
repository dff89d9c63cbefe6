"""What a server asks for: set, shown, inherited, taken back, and kept to."""

from __future__ import annotations

import pytest

from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import grounded_idea
from tests.discord_server import Message, Person, Refused

BRIEF = "a clock for the harbour"


@pytest.fixture
def boss(stage: Stage) -> Person:
    stage.model.script = grounded_idea
    return stage.server.member("boss", stage.home, permissions=["manage_guild"])


async def used(stage: Stage, person: Person, command: str, **options: object) -> Message:
    """The answer to a command of /settings, when it is there."""
    answer = await person.slash(stage.general, f"settings {command}", **options)
    return await person.sees(stage.general, lambda message: message is answer.response)


class TestSetting:
    async def test_everything_that_is_set_is_shown_and_can_be_taken_back(self, stage: Stage, boss: Person) -> None:
        shown = await used(stage, boss, "show")
        assert shown.ephemeral and "mixed (as I come)" in shown.text and "every channel (as I come)" in shown.text
        shown = await used(stage, boss, "defaults", distance="far", technique="reverse", count=2)
        assert all(one in shown.text for one in ("**Distance:** far", "**Technique:** reverse", "**Ideas:** 2"))
        rules = {"audience": "tired *commuters*", "tone": "dry", "brief": "a zine", "banned": "neon, old clocks"}
        shown = await used(stage, boss, "channel", **rules)
        assert f"### <#{stage.general.id}>" in shown.text and "**Project:** a zine" in shown.text
        assert r"tired \*commuters\*" in shown.text and "**Never shown:** neon, old clocks" in shown.text
        shown = await used(stage, boss, "reset", what="tone")
        assert "**Audience:**" in shown.text and "**Tone:**" not in shown.text
        shown = await used(stage, boss, "reset", what="everything", channel=stage.general)
        assert "**Distance:** far" in shown.text and "###" not in shown.text
        shown = await used(stage, boss, "reset", what="everything")
        assert "mixed (as I come)" in shown.text and "reverse" not in shown.text

    async def test_only_who_may_manage_the_server_sees_or_changes_them(self, stage: Stage, boss: Person) -> None:
        assert "settings" in boss.commands(stage.general) and "settings" not in stage.alice.commands(stage.general)
        with pytest.raises(Refused):
            await stage.alice.slash(stage.general, "settings show")
        with pytest.raises(Refused):
            await stage.alice.slash(stage.alice.dm, "settings show")

    async def test_a_server_that_lets_others_use_the_command_does_not_let_them_change(
        self, stage: Stage, boss: Person
    ) -> None:
        for command in stage.server.commands.listed(None):
            if command["name"] == "settings":
                command["default_member_permissions"] = None
        await stage.alice.slash(stage.general, "settings defaults", count=1)
        assert (await stage.alice.sees(stage.general, "may manage the server")).ephemeral
        assert (await stage.services.studio.rules.for_channel(stage.home.id, stage.general.id)).count is None

    async def test_bad_values_are_refused_in_one_line(self, stage: Stage, boss: Person) -> None:
        await boss.slash(stage.general, "settings channel")
        await boss.sees(stage.general, "Say what to set")
        await boss.slash(stage.general, "settings channel", banned=",".join(f"motif{n}" for n in range(60)))
        await boss.sees(stage.general, "divided by commas")
        await boss.slash(stage.general, "settings chat", channel=stage.general, chats=False)
        await boss.sees(stage.general, "name the channels")

    async def test_another_servers_settings_are_another_servers(self, stage: Stage, boss: Person) -> None:
        away = stage.server.guild("Away")
        far = next(iter(away.channels.values()))
        carol = stage.server.member("carol", away, permissions=["manage_guild"])
        await used(stage, boss, "channel", audience="commuters")
        await used(stage, boss, "defaults", count=1)
        await carol.slash(far, "settings show")
        shown = await carol.sees(far, "## Settings")
        assert "commuters" not in shown.text and "5 (as I come)" in shown.text


class TestKeepingToThem:
    async def test_a_brainstorm_takes_defaults_audience_tone_and_project_in_threads_too(
        self, stage: Stage, boss: Person
    ) -> None:
        await used(stage, boss, "defaults", technique="reverse", count=1)
        await used(stage, boss, "channel", audience="commuters", tone="dry", brief="a zine on rain")
        thread = await stage.alice.starts_thread(stage.general, "ours")
        await stage.alice.slash(thread, "brainstorm", brief=BRIEF)
        await stage.alice.sees(thread, "Machine-made")
        (entry,) = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
        assert entry.brief.line == f"{BRIEF} (for commuters; project: a zine on rain; tone: dry)"
        assert entry.idea.technique == "reverse"

    async def test_banned_motifs_are_never_shown_in_brainstorms_or_chat(self, stage: Stage, boss: Person) -> None:
        await used(stage, boss, "channel", banned="gondola")

        def script(messages: object, seed: int) -> str:
            idea = grounded_idea(messages, seed)  # type: ignore[arg-type]
            return idea.replace("First step: Draw", "First step: Board a gondola, draw") if seed % 2 else idea

        stage.model.script = script
        await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=4)
        board = await stage.alice.sees(stage.general, "Machine-made")
        assert board.text.count("### ") >= 2 and "gondola" not in board.text.lower()
        stage.model.script = lambda messages, seed: "Use a bell. Gondolas would do as well! Which one?"
        await stage.alice.says(stage.general, f"{stage.server.bot.mention} {BRIEF}")
        answer = await stage.alice.sees(stage.general, "Which one?")
        assert "Gondola" not in answer.content and "Use a bell." in answer.content

    async def test_chat_takes_audience_tone_and_project(self, stage: Stage, boss: Person) -> None:
        stage.model.script = lambda messages, seed: "Hang a bell in the tide. Which one?"
        await used(stage, boss, "channel", audience="commuters", tone="dry")
        await stage.alice.says(stage.general, f"{stage.server.bot.mention} {BRIEF}")
        await stage.alice.sees(stage.general, "Which one?")
        assert stage.model.asked[-1][-1].text.endswith(f"Message: {BRIEF} (for commuters; tone: dry)")

    async def test_it_chats_where_the_server_wants_and_says_so_elsewhere(self, stage: Stage, boss: Person) -> None:
        stage.model.script = lambda messages, seed: "Hang a bell in the tide. Which one?"
        side = stage.server.channel("side", stage.home)
        await used(stage, boss, "chat", channel=side)
        await stage.alice.says(stage.general, f"{stage.server.bot.mention} {BRIEF}")
        await stage.alice.sees(stage.general, f"I chat in <#{side.id}> here.")
        thread = await stage.alice.starts_thread(side, "ours")
        await stage.alice.says(thread, f"{stage.server.bot.mention} {BRIEF}")
        await stage.alice.sees(thread, "Which one?")
        assert len(stage.model.asked) == 1
        await boss.slash(stage.general, "settings chat", channel=side, chats=False)
        await boss.sees(stage.general, "every channel (as I come)")
