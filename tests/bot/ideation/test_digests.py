"""What a digest says: it learns from keeps, does not repeat itself, and counts an edited message once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.ideation.digests import Digest, Subscription
from bot.ideation.posts import Post
from bot.ideation.schedule import Every, Schedule
from knowledge.embedding import add_drafts
from knowledge.store import Store
from knowledge.types import Draft, Filters
from tests.bot.fakes import NOUNS
from tests.bot.ideation.conftest import Parts

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAILY = Schedule(Every.DAILY, 9, 0, "UTC")
OPEN = Filters()


async def subscribed(parts: Parts, channel: int = 5) -> Subscription:
    await parts.studio.digests.subscribe("guild:1", channel, DAILY, START)
    return (await parts.studio.digests.all())[-1]


def topics(digests: list[Digest]) -> list[str]:
    return [topic for digest in digests for hit in digest.sparks for topic in hit.snippet.topics]


async def test_sparks_on_the_topics_of_kept_ideas_come_more_often(parts: Parts) -> None:
    def furnish(store: Store) -> None:
        source = store.source(store.collection("guild:1", "own"), "test", "t", "t")
        drafts = [
            Draft(f"{noun} {topic}", f"A {noun} and a {other} are kept in {topic}.", topics=(topic,))
            for topic in ("bread", "glass")
            for noun, other in zip(NOUNS, reversed(NOUNS), strict=True)
        ]
        add_drafts(store, parts.library.embedder, source, drafts)

    await parts.library.run(furnish, parts.library.store)
    one = await subscribed(parts)
    digesting = parts.studio.digests

    async def share_of_bread() -> float:
        drawn = topics([await digesting.write(one, START, OPEN, "a lantern and a kettle", seed) for seed in range(25)])
        return drawn.count("bread") / len(drawn)

    before = await share_of_bread()
    async for _ in parts.studio.brainstorm("guild:1", "bread kept with a lantern", count=8, seed=1):
        pass
    for entry in await parts.studio.ideas.of("guild:1"):
        if any("bread" in hit.snippet.topics for hit in entry.idea.sparks):
            await parts.studio.ideas.keep("guild:1", entry.idea.id, "user:1")
    assert await share_of_bread() > before + 0.1


async def test_what_was_given_does_not_come_again_at_once(parts: Parts) -> None:
    one = await subscribed(parts)
    digesting = parts.studio.digests
    briefs, sparks = [], []
    for day in range(6):
        time = START + timedelta(days=day, hours=1)
        digest = await digesting.write(one, time, OPEN)
        briefs.append(digest.brief)
        sparks += [hit.snippet.id for hit in digest.sparks]
        await digesting.handled(one.channel, time, digest)
    assert len(set(briefs)) == 6 and len(set(sparks)) == 18
    project = await digesting.write(one, START, OPEN, "a zine about rain in Leith")
    assert project.brief == "a zine about rain in Leith"


async def test_an_edited_message_came_in_once_and_what_is_filtered_not_at_all(parts: Parts) -> None:
    channels, digesting = parts.studio.channels, parts.studio.digests
    await channels.switch_on("guild:1", 7, parent=None, title="#finds", address="a", since=0, marks=False)
    one = await subscribed(parts)
    post = Post("A ferry made of paper", "Ann", "user:2", "2026-03-02", 7, 70, "https://d.test/70")
    await channels.keep(post)
    digest = await digesting.write(one, START, OPEN)
    assert digest.count == 1 and digest.newest[0].text == post.text
    hidden = Filters(without_sources=frozenset({digest.newest[0].source_id}))
    assert (await digesting.write(one, START, hidden)).count == 0
    await digesting.handled(one.channel, START, digest)
    await channels.keep(replace(post, text="A ferry made of paper and string"))
    assert (await digesting.write(one, START, OPEN)).count == 0
