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
    monkeypatch.setattr(reading, "PAGE", 20)


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
    await robot.says(finds, "I am a robot post")
    for words in ("lol", "!play a song now", f"{stage.server.bot.mention} what about ferries?", "👍 👍"):
        await stage.bob.says(finds, words)
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


class Week:
    """People who share, and what of it should be in the library by what is promised to them."""

    def __init__(self, stage: Stage, channel: Channel, seed: int) -> None:
        self.draw = random.Random(seed)
        self.stage = stage
        self.channel = channel
        self.people = [stage.alice, stage.bob, stage.server.member("carol", stage.home)]
        self.robot = stage.server.member("robot", stage.home, bot=True)
        self.posts: dict[int, Message] = {}
        self.away: set[int] = set()  # people who opted out
        self.before: set[int] = set()  # messages of theirs from before they came back
        self.declined: set[int] = set()
        self.done: set[str] = set()

    def wanted(self) -> dict[str, str]:
        left_out = self.declined | self.before
        living = [one for one in self.posts.values() if not one.deleted and one.id not in left_out]
        return {address(one): one.content for one in living if one.author.id not in self.away}

    async def something_happens(self, *, online: bool) -> None:
        living = [one for one in self.posts.values() if not one.deleted]
        moves: dict[Any, float] = {
            self.post: 12,
            self.chatter: 2,
            self.edit: 3,
            self.delete: 2,
            self.moderate: 1,
            self.decline: 2,
            self.choose: 0.5 if online else 0,
        }
        move = self.draw.choices(list(moves), list(moves.values()))[0] if living else self.post
        self.done.add(move.__name__)
        await move(self.draw.choice(living) if living else None)

    def author(self, message: Message) -> Person:
        return next(one for one in self.people if one.user is message.author)

    async def post(self, _: Message | None) -> None:
        text = f"A {self.draw.choice(THINGS)} beside number {len(self.posts)}"
        message = await self.draw.choice(self.people).says(self.channel, text)
        self.posts[message.id] = message

    async def chatter(self, _: Message | None) -> None:
        await self.draw.choice(self.people).says(self.channel, "nice")
        await self.robot.says(self.channel, "A kettle that a robot found")

    async def edit(self, message: Message) -> None:
        await self.author(message).edits(message, f"{message.content}, and a {self.draw.choice(THINGS)}")

    async def delete(self, message: Message) -> None:
        await self.author(message).deletes(message)

    async def moderate(self, message: Message) -> None:
        others = [one for one in self.posts.values() if not one.deleted and one is not message]
        posting.delete_many(self.stage.server, self.channel, [message, *others[:1]])

    async def decline(self, message: Message) -> None:
        if message.id in self.declined:
            self.declined.remove(message.id)
            await self.author(message).unreacts(message, OUT)
        else:
            self.declined.add(message.id)
            await self.author(message).reacts(message, OUT)

    async def choose(self, _: Message | None) -> None:
        person = self.draw.choice(self.people)
        back = person.user.id in self.away
        await (await person.slash(self.stage.general, "privacy inspiration", kept=back)).finished()
        if back:
            self.away.discard(person.user.id)
            self.before |= {one.id for one in self.posts.values() if one.author is person.user}
        else:
            self.away.add(person.user.id)


async def test_a_week_of_a_channel(stage: Stage, boss: Person, finds: Channel) -> None:
    """Posts, edits, deletions, opt-outs and restarts, while the bot is there and while it is not."""
    await switch(stage, boss, finds)
    week = Week(stage, finds, seed=1)
    for day in range(7):
        for _ in range(16):
            await week.something_happens(online=True)
        await holds(stage, week.wanted())
        stage.server.clock.advance(hours=24)
        if day % 2:
            await stage.stop()
            for _ in range(12):
                await week.something_happens(online=False)
            await stage.start()
            await holds(stage, week.wanted())
    assert len(week.wanted()) > 10 and len(week.done) >= 6, "the week was lived"


class TestOlderMessages:
    @pytest.fixture
    async def old(self, stage: Stage, boss: Person, finds: Channel) -> dict[str, str]:
        """A channel with fifty messages, switched on after them."""
        said = [await stage.alice.says(finds, f"An old {THINGS[n % 14]} beside number {n}") for n in range(50)]
        await stage.bob.says(finds, "nice")
        await switch(stage, boss, finds)
        return {address(one): one.content for one in said}

    async def test_they_are_read_once_and_on_after_a_restart(
        self, stage: Stage, boss: Person, finds: Channel, old: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "PAUSE", 3600)
        await boss.slash(stage.general, "library backfill", channel=finds)
        board = await boss.sees(stage.general, "20 read, 19 of them kept; back to ")
        assert "Reading the older messages of" in board.text and await held(stage) == dict([*old.items()][-19:])
        await boss.slash(stage.general, "library backfill", channel=finds)
        await boss.sees(stage.general, "That is going on: 20 read so far")
        monkeypatch.setattr(reading, "PAUSE", 0)
        await stage.restart()
        await boss.sees(stage.general, lambda message: message is board and "Read all older messages" in board.text)
        assert "51 read, 50 of them kept" in board.text and not board.buttons
        await holds(stage, old)
        await boss.slash(stage.general, "library backfill", channel=finds)
        await boss.sees(stage.general, "were read already: 50 of 51 were kept")
        gone = next(one for one in finds.messages.values() if one.content.startswith("An old"))
        await stage.alice.deletes(gone)
        await holds(stage, {one: text for one, text in old.items() if one != address(gone)})

    async def test_reading_stops_when_asked_and_goes_on_when_asked_again(
        self, stage: Stage, boss: Person, finds: Channel, old: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "PAUSE", 3600)
        await boss.slash(stage.general, "library backfill", channel=finds)
        board = await boss.sees(stage.general, "20 read")
        await stage.alice.clicks(board, "Stop")
        await stage.alice.sees(stage.general, "may manage the server")
        await boss.clicks(board, "Stop")
        await boss.sees(stage.general, "Stopped reading the older messages")
        await stage.restart()
        assert len(await held(stage)) == 19
        monkeypatch.setattr(reading, "PAUSE", 0)
        await boss.slash(stage.general, "library backfill", channel=finds)
        await boss.sees(stage.general, "Read all older messages")
        await holds(stage, old)

    async def test_they_are_not_read_of_a_channel_that_was_not_told(
        self, stage: Stage, boss: Person, finds: Channel
    ) -> None:
        await boss.slash(stage.general, "library backfill", channel=finds)
        assert (await boss.sees(stage.general, "Switch it on first")).ephemeral
        await stage.alice.slash(stage.general, "library backfill", channel=finds)
        await stage.alice.sees(stage.general, "may manage the server")


async def test_forgetting_a_person_removes_theirs_and_keeps_it_so(stage: Stage, boss: Person, finds: Channel) -> None:
    await switch(stage, boss, finds)
    mine = await stage.alice.says(finds, "A ladder that folds into a kite")
    theirs = await stage.bob.says(finds, "A kettle that hums")
    await holds(stage, {address(mine): mine.content, address(theirs): theirs.content})
    exported = await (await stage.alice.slash(stage.general, "privacy export")).finished()
    assert "folds into a kite" in exported.attachments[0].upload.data.decode()
    await stage.alice.slash(stage.general, "privacy forget")
    question = await stage.alice.sees(stage.general, "Forget me?")
    await stage.alice.clicks(question, "Forget me")
    await stage.alice.sees(stage.general, "1 snippets")
    await holds(stage, {address(theirs): theirs.content})
    await stage.server.changes.until(lambda: MARK not in mine.reactions or None, 5, lambda: "still marked")
    again = await stage.alice.says(finds, "A ladder that nobody keeps")
    await stage.alice.edits(mine, "A ladder that was edited")
    await stage.restart()
    last = await stage.bob.says(finds, "A kettle that hums lower")
    await holds(stage, {address(theirs): theirs.content, address(last): last.content})
    mod = stage.server.member("mod", stage.home, permissions=["manage_messages"])
    await mod.uses_menu("Save as inspiration", again)
    await mod.sees(finds, "asked me to keep nothing of theirs")
    await (await stage.alice.slash(stage.general, "privacy inspiration", kept=True)).finished()
    back = await stage.alice.says(finds, "A ladder that is kept again")
    await holds(stage, {address(one): one.content for one in (theirs, last, back)})


async def test_switched_off_nothing_new_is_kept_and_the_rest_can_be_removed(
    stage: Stage, boss: Person, finds: Channel
) -> None:
    await switch(stage, boss, finds)
    first = await stage.alice.says(finds, "A brick of salt")
    second = await stage.alice.says(finds, "A mirror of smoke")
    await holds(stage, {address(one): one.content for one in (first, second)})
    asked = await boss.slash(stage.general, "settings inspiration", channel=finds, switch="off")
    question = await asked.finished()
    assert "2 that were kept stay" in question.text
    await boss.sees(finds, "No new messages of this channel are kept")
    between = await stage.alice.says(finds, "A pillow of stone")
    await stage.alice.deletes(first)
    await stage.alice.edits(second, "A mirror of fog")
    await holds(stage, {address(second): "A mirror of fog"})
    await switch(stage, boss, finds)
    await stage.restart()
    third = await stage.alice.says(finds, "An anchor of glass")
    await holds(stage, {address(second): "A mirror of fog", address(third): third.content})
    assert address(between) not in await held(stage), "nobody had said that it would be kept"
    await boss.clicks(question, "Remove what was kept")
    await boss.sees(stage.general, "Removed 2 snippets")
    await stage.restart()
    fourth = await stage.alice.says(finds, "A needle of ice")
    await holds(stage, {address(fourth): fourth.content})


async def test_a_deleted_channel_takes_its_snippets_along_whether_or_not_the_bot_was_there(
    stage: Stage, boss: Person, finds: Channel
) -> None:
    other = stage.server.channel("more finds", stage.home)
    kept: dict[str, str] = {}
    for channel in (finds, other):
        await switch(stage, boss, channel)
        said = await stage.alice.says(channel, f"A violin in {channel.name}")
        kept[address(said)] = said.content
    await holds(stage, kept)
    stage.server.delete_channel(finds)
    await holds(stage, {one: text for one, text in kept.items() if "more finds" in text})
    await stage.stop()
    stage.server.delete_channel(other)
    await stage.start()
    await holds(stage, {})
    assert not await stage.services.studio.channels.all()


async def test_a_channel_that_cannot_be_read_back_loses_nothing_and_catches_up_when_it_can(
    stage: Stage, boss: Person, finds: Channel
) -> None:
    await switch(stage, boss, finds)
    first = await stage.alice.says(finds, "A compass for cats")
    second = await stage.alice.says(finds, "A candle for bats")
    await holds(stage, {address(one): one.content for one in (first, second)})
    await stage.stop()
    stage.server.overwrite(finds, stage.server.bot, deny=["read_message_history"])
    await stage.alice.deletes(second)
    await stage.start()
    capture: Any = stage.bot.get_cog("Capture")
    await capture.upkeep.settled()
    assert len(await held(stage)) == 2, "an empty page is no empty channel"
    stage.server.overwrite(finds, stage.server.bot, allow=["read_message_history"])
    await holds(stage, {address(first): first.content})


async def test_what_changes_while_a_page_is_on_its_way_is_not_undone_by_the_page(
    stage: Stage, boss: Person, finds: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    await switch(stage, boss, finds)
    deleted, edited, left = [await stage.alice.says(finds, f"A {thing} of paper") for thing in THINGS[:3]]
    await holds(stage, {address(one): one.content for one in (deleted, edited, left)})
    arrived, go_on, follow = asyncio.Event(), asyncio.Event(), reading.Reader._follow

    async def late(*given: Any, **options: Any) -> Any:
        arrived.set()
        await go_on.wait()
        return await follow(*given, **options)

    monkeypatch.setattr(reading.Reader, "_follow", late)
    await stage.restart()
    await arrived.wait()
    await stage.alice.deletes(deleted)
    await stage.alice.edits(edited, "A ladder of glass")
    posted = await stage.alice.says(finds, "A ferry of glass")
    wanted = {address(one): one.content for one in (edited, left, posted)}
    await holds(stage, wanted)
    go_on.set()
    capture: Any = stage.bot.get_cog("Capture")
    await capture.upkeep.settled()
    assert await held(stage) == wanted


async def test_what_keeps_a_channel_from_being_switched_on_is_said(stage: Stage, boss: Person, finds: Channel) -> None:
    stage.server.overwrite(finds, stage.server.bot, deny=["read_message_history"])
    assert "I lack: read message history" in await switch(stage, boss, finds)
    assert "nothing to switch off" in await switch(stage, boss, finds, "off")
    assert not finds.messages, "and nobody was told"
    stage.server.overwrite(finds, stage.server.bot)
    await stage.restart(message_content=False)
    assert "Message Content Intent" in await switch(stage, boss, finds)


async def test_without_the_intent_nothing_is_taken_for_empty(
    stage: Stage, boss: Person, finds: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    await switch(stage, boss, finds)
    said = await stage.alice.says(finds, "A bridge of bread")
    gone = await stage.alice.says(finds, "A bridge of butter")
    await holds(stage, {address(one): one.content for one in (said, gone)})
    await stage.restart(message_content=False)
    await stage.alice.edits(said, "A bridge of toast")
    await stage.alice.deletes(gone)
    await holds(stage, {address(said): "A bridge of bread"})
    assert "switch on Message Content Intent" in caplog.text
    await stage.restart()
    await holds(stage, {address(said): "A bridge of toast"})


async def test_a_saved_message_follows_its_edits_too(stage: Stage, boss: Person) -> None:
    said = await stage.bob.says(stage.general, "A saved orchard on a roof")
    await boss.uses_menu("Save as inspiration", said)
    await boss.sees(stage.general, "Saved: ")
    await stage.bob.edits(said, "A saved orchard in a cellar")
    await holds(stage, {address(said): "A saved orchard in a cellar"})
    await stage.stop()
    await stage.bob.deletes(said)
    await stage.start()
    await holds(stage, {})
