"""The studio's verbs, over a small library and a scripted model."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import re
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.ideation.errors import NoIdeas, UnknownIdea
from bot.ideation.events import Begun, Event, Finished, Found, Progress, Ready
from bot.ideation.export import Format, exported
from bot.ideation.lexical import words
from bot.ideation.types import Idea, Move, Technique
from bot.language.base import Message
from bot.language.errors import ModelTimeout
from knowledge.errors import BadInput
from tests.bot.fakes import told_idea
from tests.bot.ideation.conftest import Parts
from training.learned import bodies

BRIEF = "a poster for a night market"
SHELF = "spoon plate cup bowl fork knife napkin tray"


async def events_of(parts: Parts, brief: str = BRIEF, space: str = "guild:1", **options: object) -> list[Event]:
    stream = parts.studio.brainstorm(space, brief, **options)  # type: ignore[arg-type]
    return [event async for event in stream]


async def ideas_of(parts: Parts, **options: object) -> tuple[Idea, ...]:
    last = (await events_of(parts, **options))[-1]  # type: ignore[arg-type]
    assert isinstance(last, Finished)
    return last.ideas


async def seen_before(error: type[Exception], parts: Parts) -> list[Event]:
    """The events of a brainstorm that ends in that error."""
    seen: list[Event] = []
    stream = parts.studio.brainstorm("guild:1", BRIEF)
    with pytest.raises(error):
        while True:
            seen.append(await anext(stream))
    return seen


class TestBrainstorm:
    async def test_events_come_in_order_and_every_idea_has_its_own_spark_and_place(self, parts: Parts) -> None:
        events = await events_of(parts, count=5)
        assert isinstance(events[0], Begun) and isinstance(events[1], Found) and isinstance(events[-1], Finished)
        ready = [event.idea for event in events if isinstance(event, Ready)]
        assert list(events[-1].ideas) == ready and [idea.place for idea in ready] == [1, 2, 3, 4, 5]
        assert len({idea.sparks[0].snippet.id for idea in ready}) == 5
        assert len({idea.body for idea in ready}) == 5
        progress = [(event.written, event.of) for event in events if isinstance(event, Progress)]
        assert progress[0] == (1, 15) and progress == sorted(progress)
        assert all(idea.sparks[0].snippet.address for idea in ready)

    async def test_ideas_are_in_the_journal_with_all_that_made_them(self, parts: Parts) -> None:
        ideas = await ideas_of(parts, count=3)
        entries = await parts.studio.ideas.of("guild:1")
        assert [entry.idea for entry in entries] == list(ideas)
        made = entries[0].idea.provenance
        assert made.model == "scripted" and len(made.prompt_hash) == 64 and entries[0].brief.text == BRIEF

    async def test_the_same_seed_repeats_exactly_and_another_does_not(self, parts: Parts) -> None:
        first, again, other = [await ideas_of(parts, count=4, seed=seed) for seed in (7, 7, 8)]

        def content(ideas: Sequence[Idea]) -> list[tuple[str, str, str, int]]:
            return [(idea.title, idea.body, idea.technique, idea.sparks[0].snippet.id) for idea in ideas]

        assert content(first) == content(again) != content(other)

    async def test_without_a_seed_nothing_that_the_space_has_had_is_shown_again(self, parts: Parts) -> None:
        parts.model.script = lambda messages, seed: told_idea(messages, seed % 3)
        had = await ideas_of(parts, count=3)
        with pytest.raises(NoIdeas):
            for _ in range(3):
                more = await ideas_of(parts, count=3)
                assert not {idea.body for idea in more} & {idea.body for idea in had}
                had += more

    async def test_what_differs_from_all_that_the_space_has_had_comes_first(
        self, parts: Parts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.ideation.engine.secrets.randbelow", lambda most: 3)  # chance must not decide a test

        def told(messages: Sequence[Message], seed: int) -> str:
            return re.sub(r"(\S+craft\d+)", r"\1 and \1", told_idea(messages, seed))  # so that it uses its spark

        def alike(messages: Sequence[Message], seed: int) -> str:
            words = told(messages, seed).split("\n")[1].removesuffix(".").split()[5:10]
            return f"Title: The same\nIdea: {' '.join(words)} {SHELF}.\nFirst step: Draw it on paper, first of all."

        parts.model.script = alike
        await ideas_of(parts, count=1)
        parts.model.script = lambda messages, seed: (told if seed % 5 else alike)(messages, seed)
        titles = [idea.title for idea in await ideas_of(parts, count=3)]
        assert len(titles) == 3 and "The same" not in titles

    async def test_one_technique_for_all_when_asked(self, parts: Parts) -> None:
        assert {idea.technique for idea in await ideas_of(parts, technique=Technique.REVERSE)} == {Technique.REVERSE}

    async def test_malformed_copied_and_boilerplate_candidates_are_never_shown(self, parts: Parts) -> None:
        def script(messages: Sequence[Message], seed: int) -> str:
            spark = messages[-1].text.partition("Spark: ")[2].partition("\n")[0]
            bad = ("nonsense", f"Title: Copy\nIdea: {spark}\nFirst step: Copy it.", "Title: Cut\nIdea: it ends in")
            return told_idea(messages, seed) if seed % 2 else bad[seed % 3]

        parts.model.script = script
        ideas = await ideas_of(parts, count=4)
        assert ideas and all(idea.title.startswith("The ") for idea in ideas)

    async def test_what_the_model_learned_by_heart_is_never_shown(self, parts: Parts) -> None:
        learned = next(body for body in bodies() if len(words(body)) > 14)

        parts.model.script = lambda _messages, _seed: f"Title: A thing\nIdea: {learned}\nFirst step: Draw it."
        with pytest.raises(NoIdeas):
            await ideas_of(parts, count=3)

    async def test_no_verb_shows_a_banned_motif(self, parts: Parts) -> None:
        first, second = await ideas_of(parts, count=2)
        parts.model.script = lambda messages, seed: told_idea(messages, seed).replace(
            "First step: Draw", "First step: See neon, draw"
        )
        stream = parts.studio.brainstorm("guild:1", BRIEF, banned=("neon",))
        with pytest.raises(NoIdeas):
            [event async for event in stream]
        for attempt in (
            anext(
                anyone
                async for anyone in parts.studio.more("guild:1", first.session_id, banned=("neon",))
                if isinstance(anyone, Ready)
            ),
            parts.studio.twist("guild:1", first.id, "wilder", banned=("neon",)),
            parts.studio.remix("guild:1", first.id, second.id, banned=("neon",)),
            parts.studio.swap("guild:1", first.id, banned=("neon",)),
        ):
            with pytest.raises(NoIdeas):
                await attempt
        assert (await parts.studio.twist("guild:1", first.id, "wilder", banned=("gold",))).parents == (first.id,)

    async def test_an_idea_that_leaves_its_spark_says_so(self, parts: Parts) -> None:
        colours = ("red", "blue", "green", "grey", "white", "black", "brown", "pink")
        parts.model.script = lambda messages, seed: (
            f"Title: Colours\nIdea: poster {' '.join(random.Random(seed).sample(colours, 7))}.\nFirst step: Mix it."
        )
        ideas = await ideas_of(parts, count=2)
        assert ideas and not any(idea.provenance.grounded for idea in ideas)

    async def test_when_nothing_is_fit_to_show_it_says_so_after_the_sparks(self, parts: Parts) -> None:
        parts.model.script = lambda messages, seed: "I can't."
        seen = await seen_before(NoIdeas, parts)
        assert any(isinstance(event, Found) and event.sparks for event in seen)

    async def test_a_model_that_fails_leaves_sparks_and_what_was_shown(self, parts: Parts) -> None:
        def script(messages: Sequence[Message], seed: int) -> str:
            raise ModelTimeout("The language model took too long.")

        parts.model.script = script
        seen = await seen_before(ModelTimeout, parts)
        assert [type(event) for event in seen] == [Begun, Found]

    async def test_stopping_early_stops_the_model_and_keeps_what_was_shown(self, parts: Parts) -> None:
        parts.model.script = lambda messages, seed: (
            told_idea(messages, seed) + " And on." * (len(parts.model.asked) * 9)
        )
        async with aclosing(parts.studio.brainstorm("guild:1", BRIEF, count=5)) as stream:
            async for event in stream:
                if isinstance(event, Ready):
                    break
        await asyncio.sleep(0)
        assert parts.model.closed_early == 1 and len(await parts.studio.ideas.of("guild:1")) == 1

    @pytest.mark.parametrize("count", [0, 21, -1])
    async def test_counts_out_of_range_are_refused(self, parts: Parts, count: int) -> None:
        with pytest.raises(BadInput, match="1 to 20"):
            parts.studio.brainstorm("guild:1", BRIEF, count=count)


class TestWorkingOn:
    async def test_more_goes_on_with_fresh_sparks_and_places(self, parts: Parts) -> None:
        first = await ideas_of(parts, count=3)
        events = [event async for event in parts.studio.more("guild:1", first[0].session_id, count=3)]
        more = [event.idea for event in events if isinstance(event, Ready)]
        assert [idea.place for idea in more] == [4, 5, 6]
        assert not {idea.sparks[0].snippet.id for idea in more} & {idea.sparks[0].snippet.id for idea in first}

    async def test_a_twist_keeps_the_sparks_and_knows_its_parent(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=1))[0]
        twisted = await parts.studio.twist("guild:1", idea.id, "wilder")
        assert (twisted.move, twisted.parents, twisted.how) == (Move.TWIST, (idea.id,), "wilder")
        assert twisted.sparks == idea.sparks and twisted.place == 2
        assert "Twist: make it wilder." in parts.model.asked[-1][-1].text

    async def test_a_remix_has_the_sparks_of_both(self, parts: Parts) -> None:
        first, second = await ideas_of(parts, count=2)
        blend = await parts.studio.remix("guild:1", first.id, second.id)
        assert blend.parents == (first.id, second.id) and len(blend.sparks) == 2
        with pytest.raises(BadInput, match="two different"):
            await parts.studio.remix("guild:1", first.id, first.id)

    async def test_critique_and_outline_ask_again_when_malformed(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=1))[0]
        answers = iter(["what?", "Strength: Bold.\nRisk: Dear.\nQuestion: For whom?"])
        parts.model.script = lambda messages, seed: next(answers)
        assert (await parts.studio.critique("guild:1", idea.id)).risk == "Dear."
        parts.model.script = lambda messages, seed: "\n".join(f"{n}. Draw part number {n}" for n in range(1, 6))
        assert len(await parts.studio.expand("guild:1", idea.id)) == 5
        parts.model.script = lambda messages, seed: "what?"
        with pytest.raises(NoIdeas):
            await parts.studio.expand("guild:1", idea.id)

    async def test_a_small_models_answer_is_begun_for_it(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=1))[0]
        going_on = {
            "Strength:": " Bold.\nRisk: Dear.\nQuestion: For whom?",
            "1.": " Melt it first.\n2. Freeze it again.\n3. Carve a seat.\n4. Sit on it.\n5. Run a bath.",
        }
        parts.model.script = lambda messages, seed: going_on[messages[-1].text]
        assert (await parts.studio.critique("guild:1", idea.id)).strength == "Bold."
        assert (await parts.studio.expand("guild:1", idea.id))[0] == "Melt it first."

    async def test_provenance_replays_word_for_word_or_says_why_not(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=1))[0]
        twisted = await parts.studio.twist("guild:1", idea.id, "simpler")
        for one in (idea, twisted):
            assert (await parts.studio.provenance("guild:1", one.id)).same
        parts.model.name = "another"
        assert "made by scripted" in (await parts.studio.provenance("guild:1", idea.id)).reason
        await parts.library.run(parts.library.store.remove, [idea.sparks[0].snippet.id])
        assert "spark was deleted" in (await parts.studio.provenance("guild:1", idea.id)).reason

    async def test_keeping_and_letting_go(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=2))[1]
        assert (await parts.studio.ideas.keep("guild:1", idea.id, "ann")).kept_by == ("ann",)
        assert [entry.idea.id for entry in await parts.studio.ideas.of("guild:1", kept=True)] == [idea.id]
        assert (await parts.studio.ideas.keep("guild:1", idea.id, "ann", keep=False)).kept_by == ()

    async def test_chat_gives_sparks_then_text_and_never_the_other_turn(self, parts: Parts) -> None:
        parts.model.script = lambda messages, seed: "Try the rope [1]. Or the bell?"
        pieces = [piece async for piece in parts.studio.chat("guild:1", [Message("user", "a harbour logo?")])]
        assert isinstance(pieces[0], tuple) and pieces[0]
        assert "".join(piece for piece in pieces if isinstance(piece, str)) == "Try the rope [1]. Or the bell?"
        assert parts.model.asked[-1][-1].text.startswith("Sparks:\n[1] ")

    async def test_inspire_needs_no_model_and_no_topic(self, parts: Parts) -> None:
        assert len(await parts.studio.inspire("guild:1", "", count=4)) == 4
        assert not parts.model.asked


class TestTheWall:
    async def test_no_verb_reaches_another_space(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=2))[0]
        second = (await parts.studio.ideas.of("guild:1"))[1].idea
        for attempt in (
            parts.studio.twist("guild:2", idea.id, "wilder"),
            parts.studio.remix("guild:2", idea.id, second.id),
            parts.studio.critique("guild:2", idea.id),
            parts.studio.expand("guild:2", idea.id),
            parts.studio.why("guild:2", idea.id),
            parts.studio.provenance("guild:2", idea.id),
            parts.studio.ideas.keep("guild:2", idea.id, "eve"),
            parts.studio.ideas.vote("guild:2", idea.id, "eve", 1),
        ):
            with pytest.raises(UnknownIdea):
                await attempt
        with pytest.raises(UnknownIdea):
            await anext(parts.studio.more("guild:2", idea.session_id))
        assert await parts.studio.ideas.of("guild:2") == []

    async def test_sparks_come_from_the_space_and_the_starter_alone(self, parts: Parts) -> None:
        for query in ("guild2craft3 rope", "harbour"):
            hits = await parts.studio.search("guild:1", query, count=50)
            hits += await parts.studio.inspire("guild:1", query, count=20)
            assert hits and not [hit for hit in hits if "guild2" in hit.snippet.text]


class TestExport:
    async def test_three_forms_say_who_and_what_made_every_idea(self, parts: Parts) -> None:
        idea = (await ideas_of(parts, count=2))[0]
        await parts.studio.ideas.keep("guild:1", idea.id, "ann")
        entries = await parts.studio.ideas.of("guild:1")
        records = json.loads(exported(entries, Format.JSON))
        assert records[0]["kept_by"] == ["ann"] and records[0]["made"]["model"] == "scripted"
        rows = list(csv.DictReader(io.StringIO(exported(entries, Format.CSV))))
        assert [row["title"] for row in rows] == [entry.idea.title for entry in entries]
        text = exported(entries, Format.MARKDOWN)
        assert f"## {BRIEF}" in text and "(kept)" in text and "](<https://example.org/" in text

    async def test_foreign_text_stays_in_its_place(self, parts: Parts) -> None:
        entry = (await _entries(parts))[0]
        nasty = replace(entry.idea, title="# [x](https://evil.example)", body='=HYPERLINK("x") <b>')
        entries = [replace(entry, idea=nasty)]
        assert r"### \# \[x\](https://evil.example)" in exported(entries, Format.MARKDOWN)
        row = next(csv.DictReader(io.StringIO(exported(entries, Format.CSV))))
        assert row["idea"].startswith("'=")


async def _entries(parts: Parts) -> list[object]:
    await ideas_of(parts, count=1)
    return await parts.studio.ideas.of("guild:1")
