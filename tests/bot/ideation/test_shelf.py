"""The shelf and forgetting: what people bring is told of, found, and gone when it should be."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ideation.shelf import Post
from bot.ideation.types import Idea
from bot.language.base import Message
from knowledge.errors import BadInput
from tests.bot.ideation.conftest import Parts
from tests.bot.ideation.test_studio import ideas_of

POST = Post(
    "Umbrellas left at stations are lent out again.", "Ada", "user:1", "2026-01-09", 70, 700, "https://d.test/700"
)


async def found(parts: Parts, query: str, space: str = "guild:1") -> list[str]:
    return [hit.snippet.text for hit in await parts.studio.search(space, query, count=50)]


async def test_a_saved_message_is_found_with_who_wrote_it_and_where(parts: Parts) -> None:
    shelf = parts.studio.shelf
    assert await shelf.save("guild:1", "user:2", POST) == "Umbrellas left at stations are lent out again."
    hit = (await parts.studio.search("guild:1", "umbrellas at stations"))[0]
    assert (hit.snippet.author, hit.snippet.date, hit.snippet.address) == ("Ada", "2026-01-09", POST.address)
    assert POST.text not in await found(parts, "umbrellas at stations", "guild:2")
    newest = (await shelf.sources("guild:1"))[0]
    assert (newest.source.kind, newest.snippets, newest.person) == ("message", 1, "user:2")
    assert await shelf.save("guild:1", "user:3", replace(POST, message=701, address="https://d.test/701")) is None
    assert [one.person for one in await shelf.sources("guild:1")] == ["user:2", None]


@pytest.mark.parametrize("text", ["", "🙂", "\n?!"])
async def test_a_message_without_words_is_refused(parts: Parts, text: str) -> None:
    with pytest.raises(BadInput):
        await parts.studio.shelf.save("guild:1", "user:2", replace(POST, text=text))
    assert len(await parts.studio.shelf.sources("guild:1")) == 1


async def test_a_long_message_is_cut_between_words(parts: Parts) -> None:
    await parts.studio.shelf.save("guild:1", "user:2", replace(POST, text="umbrella " * 400))
    text = max(await found(parts, "umbrella umbrella"), key=len)
    assert len(text) <= 1000 and set(text.rstrip("…").split()) == {"umbrella"}


async def test_what_is_deleted_there_is_gone_here(parts: Parts) -> None:
    shelf = parts.studio.shelf
    await shelf.save("guild:1", "user:2", POST)
    await shelf.save("guild:1", "user:2", replace(POST, text="Rain is sold by the glass.", message=701, address="b"))
    assert await shelf.messages_deleted([1, 2]) == 0
    assert await shelf.messages_deleted([700, 5]) == 1
    assert POST.text not in await found(parts, "umbrellas at stations")
    assert await shelf.channel_deleted(71) == 0 and await shelf.channel_deleted(70) == 1
    assert len(await shelf.sources("guild:1")) == 1


async def test_files_are_listed_with_who_brought_them_and_can_be_removed(parts: Parts, tmp_path: Path) -> None:
    shelf, path = parts.studio.shelf, tmp_path / "notes.md"
    path.write_text("# Tides\n\nThe harbour clock shows the tide and not the hour.\n")
    report = await shelf.add("guild:1", "user:2", [path])
    assert report.added == 1 and not report.refused
    shelved = (await shelf.sources("guild:1"))[0]
    assert (shelved.source.title, shelved.snippets, shelved.person) == ("notes.md", 1, "user:2")
    path.write_text("# Tides\n\nThe harbour bell rings at low tide.\n")
    again = await shelf.add("guild:1", "user:3", [path])
    assert (again.added, again.removed) == (1, 1)
    with pytest.raises(BadInput, match="not in the library here"):
        await shelf.remove("guild:2", shelved.source.id)
    assert (await shelf.remove("guild:1", shelved.source.id)).source.title == "notes.md"
    assert not any("tide" in text for text in await found(parts, "tide"))


async def test_others_are_answered_while_a_long_file_is_read(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text("".join(f'{{"title": "T{n}", "text": "Umbrella number {n} is lent out."}}\n' for n in range(400)))
    adding = asyncio.create_task(parts.studio.shelf.add("guild:1", "user:2", [path]))
    answered = 0
    while not adding.done():
        await parts.studio.ideas.titles("guild:1")
        answered += 1
    assert (await adding).added == 400 and answered > 4  # not only before it began and after it ended


async def test_forgetting_takes_what_is_a_persons_and_nothing_else(parts: Parts, tmp_path: Path) -> None:
    studio, shelf = parts.studio, parts.studio.shelf
    mine, teams = (await ideas_of(parts, space="user:2", count=1))[0], (await ideas_of(parts, count=1))[0]
    await studio.ideas.keep("guild:1", teams.id, "user:2")
    await studio.ideas.vote("guild:1", teams.id, "user:2", 1)
    await studio.ideas.vote("guild:1", teams.id, "user:3", 1)
    await shelf.save("guild:1", "user:2", POST)
    await shelf.save(
        "guild:1", "user:3", replace(POST, text="Written by two.", author="user:2", message=2, address="b")
    )
    await shelf.save("guild:1", "user:3", replace(POST, text="Theirs alone.", message=3, address="c"))
    (tmp_path / "notes.md").write_text("The harbour clock shows the tide.\n")
    await shelf.add("guild:1", "user:2", [tmp_path / "notes.md"])

    record = await studio.persons.record_of("user:2")
    assert [entry.idea.id for entry in record.ideas] == [mine.id]
    assert sorted(mark.value for mark in record.marks) == [0, 1] and {mark.title for mark in record.marks} == {
        teams.title
    }
    assert [(row["title"], row["brought"], row["wrote"]) for row in record.brought] == [
        (POST.text, True, False),
        ("Written by two.", False, True),
        ("notes.md", True, False),
    ]

    gone = await studio.persons.forget("user:2")
    assert (gone.ideas, gone.marks, gone.snippets) == (1, 2, 2)
    left = await studio.persons.record_of("user:2")
    assert (left.ideas, left.marks, left.brought) == ([], [], [])
    entry = await studio.why("guild:1", teams.id)
    assert entry.votes_for == 1 and entry.kept_by == ()
    titles = {(one.source.title, one.person) for one in await shelf.sources("guild:1")}
    assert {("notes.md", None), ("Theirs alone.", "user:3")} <= titles and len(titles) == 3


async def test_titles_are_newest_first_and_of_this_space_alone(parts: Parts) -> None:
    ideas: tuple[Idea, ...] = await ideas_of(parts, count=3)
    await ideas_of(parts, space="guild:2", count=1)
    assert [one.id for one in await parts.studio.ideas.titles("guild:1")] == [idea.id for idea in reversed(ideas)]
    assert len(await parts.studio.ideas.titles("guild:1", limit=2)) == 2
    assert ideas[0].id in [one.id for one in await parts.studio.ideas.titles("guild:1", ideas[0].title.upper()[:9])]
    assert await parts.studio.ideas.titles("guild:1", "100%_") == []


async def test_a_persons_own_words_are_criticised(parts: Parts) -> None:
    parts.model.script = lambda messages, seed: "Strength: Bold.\nRisk: Dear.\nQuestion: For whom?"
    assert (await parts.studio.critique_text("A chair of ice " * 100, "commuters")).strength == "Bold."
    asked = parts.model.asked[-1][-2].text
    assert "commuters" in asked and "Idea: A chair of ice A chair. A chair of ice" in asked and len(asked) < 1100
    with pytest.raises(BadInput):
        await parts.studio.critique_text("🙂")


async def test_chat_takes_audience_and_tone_and_looks_up_what_few_words_refer_to(parts: Parts) -> None:
    parts.model.script = lambda messages, seed: "Yes."
    history = [
        Message("user", "an observatory logo"),
        Message("assistant", "A rope?"),
        Message("user", "and red?"),
    ]
    pieces = [piece async for piece in parts.studio.chat("guild:1", history, audience="sailors", tone="dry")]
    assert all("observatory" in hit.snippet.text for hit in pieces[0])  # type: ignore[union-attr]
    assert parts.model.asked[-1][-1].text.endswith("Message: and red? (for sailors; tone: dry)")
