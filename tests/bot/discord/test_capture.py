"""An inspiration channel as a team lives in it: library, index and channel agree, whatever happened and was missed."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from bot.cogs import reading
from bot.cogs.posts import MARK, OUT
from tests.bot.discord.conftest import Stage
from tests.discord_server import Person, Upload, posting
from tests.discord_server.drafts import Draft
from tests.discord_server.entities import Channel
from tests.discord_server.message import Message

THINGS = "lantern kettle ladder ferry orchard violin brick compass pillow anchor candle bridge mirror needle".split()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE", 0)


@pytest.fixture
def boss(stage: Stage) -> Person:
    return stage.server.member("boss", stage.home, permissions=["manage_guild"])


@pytest.fixture
def finds(stage: Stage) -> Channel:
    return stage.server.channel("finds", stage.home)


async def switch(stage: Stage, boss: Person, channel: Channel, state: str = "on", **options: Any) -> str:
    asked = await boss.slash(stage.general, "settings inspiration", channel=channel, switch=state, **options)
    return (await asked.finished()).text


async def held(stage: Stage) -> dict[str, str]:
    """What the library, and its index, hold of channels: the text by the address of the message."""
    library = stage.services.library

    def read() -> dict[str, str]:
        collection = library.store.collection(f"guild:{stage.home.id}", "own")
        ids = library.store.ids(collection)
        assert library.indexes.of(collection).ids.tolist() == ids, "the index holds what the library holds"
        vectors = library.store.vector_ids(collection, library.embedder.name)
        assert vectors.tolist() == ids
        return {str(one.address): one.text for one in library.store.snippets(ids)}

    return await library.run(read)


async def holds(stage: Stage, wanted: dict[str, str]) -> None:
    """Wait until exactly that is held."""
    found: dict[str, str] = {}
    for _ in range(1000):
        found = await held(stage)
        if found == wanted:
            return
        await asyncio.sleep(0.005)
    assert found == wanted


def address(message: Message) -> str:
    guild = message.channel.guild
    assert guild is not None
    return f"https://discord.com/channels/{guild.id}/{message.channel.id}/{message.id}"


async def test_switching_on_says_what_is_kept_and_what_is_shared_then_is_kept(
    stage: Stage, boss: Person, finds: Channel
) -> None:
    before = await stage.alice.says(finds, "A ferry that was posted before anybody asked.")
    assert "have said so there" in await switch(stage, boss, finds)
    note = await stage.alice.sees(finds, "Inspiration is kept here")
    assert "Boss asked me" in note.text and OUT in note.text and "/privacy inspiration" in note.text
    text = await stage.alice.says(finds, "Lanterns hung upside down: https://example.org/lanterns")
    picture = await stage.bob.says(
        finds, "Seen today", attachments=[Upload("IMG_1.png", b"png", "A kettle with two spouts")]
    )
    unfolded = await stage.bob.says(
        finds, "https://example.org/x", embeds=[{"title": "Ladders", "description": "Of sugar"}]
    )
    robot = stage.server.member("robot", stage.home, bot=True)
    for person, words in ((robot, "I am a robot post"), (stage.bob, "lol"), (stage.bob, "!play a song now"),
                          (stage.bob, f"{stage.server.bot.mention} what about ferries?"), (stage.bob, "👍 👍")):  # fmt: skip
        await person.says(finds, words)
    await holds(
        stage,
        {
            address(text): "Lanterns hung upside down: https://example.org/lanterns",
            address(picture): "Seen today · A kettle with two spouts (IMG_1.png)",
            address(unfolded): "https://example.org/x · Ladders: Of sugar",
        },
    )
    for kept in (text, picture, unfolded):
        await stage.server.changes.until(lambda kept=kept: MARK in kept.reactions or None, 5, lambda: "no mark")  # type: ignore[misc]
    assert MARK not in before.reactions
    found = await stage.services.studio.search(f"guild:{stage.home.id}", "lanterns hung upside down", count=1)
    snippet = found[0].snippet
    assert snippet.author == "Alice" and snippet.date is not None and len(snippet.date) == 10
    shown = await boss.slash(stage.general, "settings show")
    assert f"<#{finds.id}> (3 kept)" in (await shown.finished()).text


async def test_a_link_that_unfolds_later_and_an_edit_that_says_nothing(
    stage: Stage, boss: Person, finds: Channel
) -> None:
    await switch(stage, boss, finds, mark=False)
    link = await stage.alice.says(finds, "https://example.org/x")
    await holds(stage, {address(link): "https://example.org/x"})
    posting.edit(stage.server, link, Draft(link.content, embeds=[{"title": "A violin of ice"}]))
    await holds(stage, {address(link): "https://example.org/x · A violin of ice"})
    posting.edit(stage.server, link, Draft("ok"))
    await holds(stage, {})
    assert not link.reactions


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_week_of_a_channel(stage: Stage, boss: Person, finds: Channel, seed: int) -> None:
    """Posts, edits, deletions, opt-outs and restarts, while the bot is there and while it is not."""
    draw = random.Random(seed)
    await switch(stage, boss, finds)
    people = [stage.alice, stage.bob, stage.server.member("carol", stage.home)]
    robot = stage.server.member("robot", stage.home, bot=True)
    away: set[int] = set()  # people who opted out
    lost: set[int] = set()  # messages of theirs until they came back
    posts: dict[int, Message] = {}
    declined: set[int] = set()

    def wanted() -> dict[str, str]:
        return {
            address(one): one.content
            for one in posts.values()
            if not one.deleted and one.author.id not in away and one.id not in declined | lost
        }

    async def act(online: bool) -> None:
        living = [one for one in posts.values() if not one.deleted]
        move = draw.choices(["post", "chatter", "edit", "delete", "bulk", "decline", "choose"], [10, 2, 3, 2, 1, 1, 1])[
            0
        ]
        person = draw.choice(people)
        if move == "post" or not living:
            message = await person.says(finds, f"A {draw.choice(THINGS)} beside number {len(posts)}")
            posts[message.id] = message
        elif move == "chatter":
            await draw.choice([(robot, "Beep beep boop boop"), (person, "nice")])[0].says(finds, "nice")
        elif move == "edit":
            message = draw.choice(living)
            author = next(one for one in people if one.user is message.author)
            await author.edits(message, f"{message.content}, and a {draw.choice(THINGS)}")
        elif move == "delete":
            message = draw.choice(living)
            await next(one for one in people if one.user is message.author).deletes(message)
        elif move == "bulk":
            posting.delete_many(stage.server, finds, draw.sample(living, min(3, len(living))))
        elif move == "decline":
            message = draw.choice(living)
            author = next(one for one in people if one.user is message.author)
            if message.id in declined:
                declined.remove(message.id)
                await author.unreacts(message, OUT)
            else:
                declined.add(message.id)
                await author.reacts(message, OUT)
        elif move == "choose" and online:
            back = person.user.id in away
            asked = await person.slash(stage.general, "privacy inspiration", kept=back)
            await asked.finished()
            mine = {one.id for one in posts.values() if one.author is person.user}
            if back:
                away.discard(person.user.id)
                lost.update(mine)
            else:
                away.add(person.user.id)

    for _ in range(7):
        for _ in range(18):
            await act(True)
        await holds(stage, wanted())
        await stage.stop()
        for _ in range(6):
            await act(False)
        stage.server.clock.advance(hours=24)
        await stage.start()
        await holds(stage, wanted())
    assert len(wanted()) > 20 and away | lost and declined and any(one.deleted for one in posts.values())
