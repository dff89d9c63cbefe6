"""/inspire: sparks without a model, whatever the model is doing."""

from __future__ import annotations

from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel


async def test_sparks_come_with_their_sources_and_without_a_model(stage: Stage) -> None:
    answer = await stage.alice.slash(
        stage.general, "inspire", topic="salt and rope", distance="near: close to the brief, can be done"
    )
    assert answer.deferred
    sparks = await answer.finished()
    assert "Sparks: salt and rope" in sparks.text and "no model was asked" in sparks.text
    assert len(sparks.links) == 5 and not sparks.previews
    assert not stage.model.asked


async def test_without_a_topic_they_come_from_anywhere_and_differ(stage: Stage) -> None:
    texts = set()
    for _ in range(3):
        answer = await stage.alice.slash(stage.general, "inspire")
        texts.add((await answer.finished()).text)
    assert len(texts) == 3 and all("Sparks from anywhere" in text for text in texts)


async def test_they_come_while_everybody_waits_for_the_model(stage: Stage) -> None:
    stage.model = HeldModel()
    await stage.restart(at_once=1, queue=1)
    for person in (stage.alice, stage.bob):
        await person.slash(stage.general, "brainstorm", brief="a lamp")
    carol = stage.server.member("carol", stage.home)
    refused = await carol.slash(stage.general, "brainstorm", brief="a lamp")
    assert "Very many people" in refused.text and "/inspire works" in refused.text
    answer = await carol.slash(stage.general, "inspire", topic="a lamp")
    assert (await answer.finished()).links


async def test_a_topic_without_words_is_refused_for_the_asker_alone(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "inspire", topic="…")
    await stage.alice.sees(stage.general, "needs words")
    assert all(message.ephemeral for message in answer.messages) and not stage.bob.reads(stage.general)
