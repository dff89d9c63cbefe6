"""Working on with ideas by name, and the lists and files of them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bot.ideation.journal import Entry
from bot.language.errors import ModelTimeout
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import grounded_idea
from tests.discord_server import Person
from tests.discord_server.entities import Channel

CRITIQUE = "Strength: It can be heard.\nRisk: It rusts.\nQuestion: Who winds it?"
OUTLINE = "\n".join(f"{number}. Draw part number {number} of it" for number in range(1, 6))


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    stage.model.script = grounded_idea
    return stage


async def brainstorm(stage: Stage, person: Person, channel: Channel, brief: str, **options: object) -> list[Entry]:
    """The ideas of one brainstorm, in order."""
    answer = await person.slash(channel, "brainstorm", brief=brief, count=2, **options)
    await person.sees(channel, lambda message: message is answer.response and "Machine-made" in message.text)
    guild = channel.guild
    space = f"guild:{guild.id}" if guild and not options.get("private") else f"user:{person.user.id}"
    return [entry for entry in await stage.services.studio.ideas.of(space) if entry.brief.text == brief]


class TestPicking:
    async def test_titles_of_this_server_are_offered_newest_first_with_ones_own_below(self, stage: Stage) -> None:
        first = await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        second = await brainstorm(stage, stage.alice, stage.general, "a lamp for the bakery")
        own = await brainstorm(stage, stage.alice, stage.general, "a secret bench for alice", private=True)
        offered = (await stage.alice.autocomplete(stage.general, "twist", "idea")).choices
        ids = [entry.idea.id for entry in (*reversed(second), *reversed(first))]
        assert [one.value for one in offered] == [*ids, *(f"own:{entry.idea.id}" for entry in reversed(own))]
        assert "only you" in offered[-1].name and "a lamp for the bakery" in offered[0].name
        assert len((await stage.bob.autocomplete(stage.general, "twist", "idea")).choices) == 4
        typed = first[0].idea.title.upper()[4:12]
        found = (await stage.bob.autocomplete(stage.general, "why", "idea", typed)).choices
        assert first[0].idea.id in [one.value for one in found]

    async def test_a_typed_title_is_understood_and_an_ambiguous_or_unknown_one_refused(self, stage: Stage) -> None:
        entries = await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        await stage.alice.slash(stage.general, "why", idea=entries[0].idea.title)
        await stage.alice.sees(stage.general, "Why “")
        await stage.alice.slash(stage.general, "why", idea="the")
        await stage.alice.sees(stage.general, "Several ideas")
        await stage.alice.slash(stage.general, "why", idea="no such thing")
        assert (await stage.alice.sees(stage.general, "No idea here is called that")).ephemeral

    async def test_nothing_of_another_server_is_offered_found_or_exported(self, stage: Stage) -> None:
        away = stage.server.guild("Away")
        far, carol = next(iter(away.channels.values())), stage.server.member("carol", away)
        secret = await brainstorm(stage, carol, far, "a distant bell")
        await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        offered = (await stage.alice.autocomplete(stage.general, "why", "idea")).choices
        assert offered and not {one.value for one in offered} & {entry.idea.id for entry in secret}
        for typed in (secret[0].idea.id, f"own:{secret[0].idea.id}", secret[0].idea.title):
            await stage.alice.slash(stage.general, "why", idea=typed)
        await stage.alice.slash(stage.general, "ideas search", words="a distant bell")
        await stage.alice.sees(stage.general, "There are none yet")
        answer = await stage.alice.slash(stage.general, "ideas export", format="json")
        await stage.alice.sees(stage.general, "ideas, newest first")
        assert {one["brief"] for one in json.loads(answer.response.attachments[0].upload.data)} == {
            "a clock for the harbour"
        }
        assert "distant" not in stage.server.transcript(stage.general).replace("“a distant bell”", "")


class TestWorkingOn:
    async def test_twist_and_remix_make_boards_of_their_own(self, stage: Stage) -> None:
        first, second = await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        await stage.alice.slash(stage.general, "twist", idea=first.idea.id, how="without screens")
        twisted = await stage.alice.sees(stage.general, "twist: without screens")
        assert [button.label for button in twisted.buttons][:2] == ["Vote", "Keep"]
        await stage.alice.slash(stage.general, "remix", a=first.idea.id, b=second.idea.id)
        await stage.alice.sees(stage.general, lambda message: "remix ·" in message.text and "Remix:" in message.text)
        made = await stage.services.studio.ideas.of(f"guild:{stage.home.id}")
        assert [entry.idea.parents for entry in made if entry.idea.parents] == [
            (first.idea.id,),
            (first.idea.id, second.idea.id),
        ]

    async def test_critique_expand_and_why_say_what_they_should(self, stage: Stage) -> None:
        entry = (await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour"))[0]
        stage.model.script = lambda messages, seed: CRITIQUE
        await stage.alice.slash(stage.general, "critique", idea=entry.idea.id)
        assert "Who winds it?" in (await stage.bob.sees(stage.general, "It rusts.")).text
        stage.model.script = lambda messages, seed: OUTLINE
        await stage.alice.slash(stage.general, "expand", idea=entry.idea.id)
        await stage.bob.sees(stage.general, "5. Draw part number 5")
        await stage.alice.slash(stage.general, "why", idea=entry.idea.id)
        assert "seed" in (await stage.bob.sees(stage.general, "Why “")).text

    async def test_a_private_idea_is_answered_in_private(self, stage: Stage) -> None:
        own = await brainstorm(stage, stage.alice, stage.general, "a secret bench for alice", private=True)
        shared = await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        await stage.alice.slash(stage.general, "twist", idea=f"own:{own[0].idea.id}", how="wilder")
        assert (await stage.alice.sees(stage.general, "twist: wilder")).ephemeral
        await stage.alice.slash(stage.general, "remix", a=f"own:{own[0].idea.id}", b=shared[0].idea.id)
        await stage.alice.sees(stage.general, "One of the two is private")
        await stage.bob.slash(stage.general, "why", idea=f"own:{own[0].idea.id}")
        await stage.bob.sees(stage.general, "No idea here is called that")
        assert "secret bench" not in "".join(message.text for message in stage.bob.reads(stage.general))

    async def test_the_menu_criticises_any_message_for_the_one_who_asks(self, stage: Stage) -> None:
        stage.model.script = lambda messages, seed: CRITIQUE
        said = await stage.bob.says(stage.general, "We could hang a clock from a crane.")
        await stage.alice.uses_menu("Critique this", said)
        answer = await stage.alice.sees(stage.general, "Who winds it?")
        assert answer.ephemeral and "clock from a crane" in stage.model.asked[-1][-2].text
        silent = await stage.bob.says(stage.general, "🙂")
        await stage.alice.uses_menu("Critique this", silent)
        await stage.alice.sees(stage.general, "needs words")

    async def test_a_model_that_fails_is_one_line(self, stage: Stage) -> None:
        entry = (await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour"))[0]

        def script(messages: object, seed: int) -> str:
            raise ModelTimeout("The language model took too long.")

        stage.model.script = script
        await stage.alice.slash(stage.general, "critique", idea=entry.idea.id)
        assert (await stage.alice.sees(stage.general, "took too long")).ephemeral


class TestTheIdeasThereAre:
    async def test_lists_are_paged_and_know_kept_and_words(self, stage: Stage) -> None:
        studio, space = stage.services.studio, f"guild:{stage.home.id}"
        for number in range(8):
            async for _ in studio.brainstorm(space, f"a sign for shop number {number}", count=2):
                pass
        entries = await studio.ideas.of(space)
        await studio.ideas.keep(space, entries[3].idea.id, "user:1")
        await stage.alice.slash(stage.general, "ideas list")
        first = await stage.alice.sees(stage.general, "more with page:2")
        assert "12. " in first.text and "13. " not in first.text and "kept 1" in first.text
        await stage.alice.slash(stage.general, "ideas list", page=2)
        await stage.alice.sees(stage.general, "13. ")
        await stage.alice.slash(stage.general, "ideas list", page=9)
        await stage.alice.sees(stage.general, "no more than that")
        await stage.alice.slash(stage.general, "ideas list", kept=True)
        kept = await stage.alice.sees(stage.general, "Kept ideas")
        assert entries[3].idea.title in kept.text and "2. " not in kept.text
        await stage.alice.slash(stage.general, "ideas search", words="shop number 5")
        await stage.alice.sees(stage.general, lambda message: "number 5" in message.text and "3. " not in message.text)

    async def test_show_opens_an_idea_whose_buttons_work(self, stage: Stage) -> None:
        entry = (await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour"))[0]
        answer = await stage.bob.slash(stage.general, "ideas show", idea=entry.idea.id)
        shown = await stage.bob.sees(stage.general, "the ideas are yours to change")
        assert shown is answer.response
        await stage.bob.clicks(shown, "Vote")
        await stage.bob.sees(stage.general, lambda message: message is shown and shown.buttons[0].label == "Vote · 1")

    async def test_exports_are_files_in_three_forms_and_ones_own_are_apart(self, stage: Stage) -> None:
        await stage.alice.slash(stage.general, "ideas export")
        await stage.alice.sees(stage.general, "nothing to export yet")
        entries = await brainstorm(stage, stage.alice, stage.general, "a clock for the harbour")
        own = await brainstorm(stage, stage.alice, stage.general, "a secret bench for alice", private=True)
        for form, name in (("md", "ideas.md"), ("csv", "ideas.csv"), ("json", "ideas.json")):
            answer = await stage.alice.slash(stage.general, "ideas export", format=form)
            await stage.alice.sees(stage.general, lambda message, answer=answer: message is answer.response)
            file = answer.response.attachments[0].upload
            text = file.data.decode()
            assert answer.response.ephemeral and file.name == name
            assert all(entry.idea.id in text for entry in entries) and own[0].idea.id not in text
            if form == "csv":
                assert len(list(csv.DictReader(io.StringIO(text)))) == 2
        answer = await stage.alice.slash(stage.general, "ideas export", format="json", mine=True)
        await stage.alice.sees(stage.general, lambda message: message is answer.response)
        assert {one["id"] for one in json.loads(answer.response.attachments[0].upload.data)} == {
            entry.idea.id for entry in own
        }
