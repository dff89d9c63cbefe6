"""Learning from people: duels, what votes and keeps say, and the walls and switches around it."""

from __future__ import annotations

import pytest

from bot.ideation.errors import UnknownIdea
from bot.ideation.types import Idea
from knowledge.errors import BadInput
from tests.bot.ideation.conftest import Parts
from tests.bot.ideation.test_studio import BRIEF, events_of, ideas_of

SPACE = "guild:1"


async def decide(parts: Parts, person: str, liked: Idea) -> int:
    """Every duel that a person has, decided for the idea that they like, else for the first; returns how many."""
    count = 0
    while True:
        try:
            first, second = await parts.studio.choices.duel(SPACE, person)
        except BadInput:
            return count
        winner, loser = (second, first) if second.idea.id == liked.id else (first, second)
        await parts.studio.choices.pick(SPACE, person, winner.idea.id, loser.idea.id)
        count += 1


async def test_every_two_ideas_of_a_session_meet_once_for_each_person(parts: Parts) -> None:
    ideas = await ideas_of(parts, count=4)
    await ideas_of(parts, count=1)
    assert await decide(parts, "ada", ideas[0]) == 6
    assert await decide(parts, "bo", ideas[0]) == 6
    learned = await parts.studio.choices.learned(SPACE)
    assert (learned.choices, learned.people) == (12, 2)


async def test_a_duel_decided_again_the_other_way_counts_once(parts: Parts) -> None:
    first, second = await ideas_of(parts, count=2)
    for winner, loser in ((first, second), (second, first)):
        await parts.studio.choices.pick(SPACE, "ada", winner.id, loser.id)
    assert [one["preferred"] for one in await parts.studio.choices.of_person("ada")] == [second.title]
    taste = await parts.studio.choices.taste(SPACE)
    assert taste is not None
    vectors = parts.library.embedder.embed([first.body, second.body])
    assert taste.strength(vectors[1]) > taste.strength(vectors[0])


async def test_another_two_are_not_the_same_two(parts: Parts) -> None:
    await ideas_of(parts, count=3)
    first, second = await parts.studio.choices.duel(SPACE, "ada")
    shown_now = frozenset((first.idea.id, second.idea.id))
    third, fourth = await parts.studio.choices.duel(SPACE, "ada", shown_now)
    assert {third.idea.id, fourth.idea.id} != shown_now


async def test_one_idea_is_no_duel(parts: Parts) -> None:
    await ideas_of(parts, count=1)
    with pytest.raises(BadInput, match="no two ideas left"):
        await parts.studio.choices.duel(SPACE, "ada")


async def test_choices_move_what_is_liked_up_in_their_own_space_alone(parts: Parts) -> None:
    """What was chosen counts in the next judgement there, by its direction; another server's is as it was."""
    ideas = await ideas_of(parts, count=6)
    for _ in range(2):
        for person in ("ada", "bo", "cy"):
            await decide(parts, person, ideas[3])
    taste = await parts.studio.choices.taste(SPACE)
    assert taste is not None and await parts.studio.choices.taste("guild:2") is None
    vectors = parts.library.embedder.embed([idea.body for idea in ideas])
    values = [taste.value(0.5, vector) for vector in vectors]
    assert max(values) == values[3] > 0.5


async def test_selection_follows_the_taste_and_a_seed_does_not(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the taste likes most is among the ideas that fill the places left; with a seed all stays as it was."""
    asked: list[str] = []

    class Likes:
        def value(self, quality: float, vector: object) -> float:
            asked.append("taste")
            return quality

    async def taste(space: str) -> Likes:
        assert space == SPACE
        return Likes()

    monkeypatch.setattr(parts.engine.choices, "taste", taste)
    await events_of(parts, count=2, seed=5)
    assert not asked
    await events_of(parts, BRIEF, count=2)
    assert asked


async def test_votes_and_keeps_are_choices_within_their_session(parts: Parts) -> None:
    ideas = await ideas_of(parts, count=4)
    await parts.studio.ideas.vote(SPACE, ideas[1].id, "ada", 1)
    await parts.studio.ideas.keep(SPACE, ideas[2].id, "bo")
    learned = await parts.studio.choices.learned(SPACE)
    assert learned.people == 2 and learned.choices == 5  # 2 over 0, 1 and 3; 1 over 0 and 3
    taste = await parts.studio.choices.taste(SPACE)
    assert taste is not None
    strengths = [float(taste.strength(row)) for row in parts.library.embedder.embed([idea.body for idea in ideas])]
    assert strengths[2] > strengths[1] > max(strengths[0], strengths[3])


async def test_learning_is_switched_off_and_forgotten(parts: Parts) -> None:
    first, second = await ideas_of(parts, count=2)
    choices = parts.studio.choices
    await choices.pick(SPACE, "ada", first.id, second.id)
    await parts.studio.ideas.keep(SPACE, first.id, "ada")
    await choices.switch(SPACE, False)
    assert await choices.taste(SPACE) is None and not (await choices.learned(SPACE)).learns
    await choices.switch(SPACE, True)
    assert await choices.taste(SPACE) is not None
    await choices.forget(SPACE)
    learned = await choices.learned(SPACE)
    assert await choices.taste(SPACE) is None and learned.learns and learned.choices == 0
    assert (await parts.studio.why(SPACE, first.id)).kept_by == ("ada",), "the keep itself stays"


async def test_forgetting_a_person_forgets_their_duels(parts: Parts) -> None:
    first, second = await ideas_of(parts, count=2)
    await parts.studio.choices.pick(SPACE, "user:1", first.id, second.id)
    assert len((await parts.studio.persons.record_of("user:1")).duels) == 1
    assert (await parts.studio.persons.forget("user:1")).marks == 1
    assert await parts.studio.choices.taste(SPACE) is None


async def test_ideas_of_another_space_cannot_be_chosen(parts: Parts) -> None:
    first, second = await ideas_of(parts, count=2)
    with pytest.raises(UnknownIdea):
        await parts.studio.choices.pick("guild:2", "ada", first.id, second.id)
    with pytest.raises(BadInput):
        await parts.studio.choices.duel("guild:2", "ada")
