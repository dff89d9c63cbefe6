"""Every feature that asks a model, once, with the models that ship: nothing is scripted, so little can be foretold.

What an idea says is the model's affair, and a verb may find no draft fit to show. That everything arrives, says what it
was made from, and is in the journal, is ours.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bot.ideation.gates import format_fault
from bot.ideation.journal import Entry
from bot.language.local import LocalModel
from knowledge.embedded import open_embedder
from knowledge.embedder import Embedder
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import Lent
from tests.discord_server import Interaction, Message, eventually

BRIEF = "a poster for a night market"
PATIENCE = 300.0


@pytest.fixture
def data_dir(real_library: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(real_library, tmp_path / "data", symlinks=True))


@pytest.fixture
async def stage(stage: Stage, embedded_model: LocalModel) -> Stage:
    stage.model, stage.embedder = Lent(embedded_model), _the_embedder
    await stage.model.load()
    await stage.restart(timeout=PATIENCE, rounds=1, candidates=3)
    return stage


def _the_embedder() -> Embedder:
    return open_embedder(device="cpu")


async def ideas(stage: Stage) -> list[Entry]:
    return await stage.services.studio.ideas.of(f"guild:{stage.home.id}")


async def ended(stage: Stage, press: Interaction) -> Message:
    """What a slash command or a press led to, when the bot has no more work."""
    assert press.failure is None
    await eventually(lambda: press.text and not list(stage.bot.at_work), within=PATIENCE)
    return press.messages[0]


def button(message: Message, label: str) -> str:
    return next(one.custom_id or "" for one in message.buttons if one.label.split(" · ")[0] == label)


async def test_a_session_with_the_models_that_ship(stage: Stage, embedded_model: LocalModel) -> None:
    alice, general = stage.alice, stage.general

    sparks = await (await alice.slash(general, "inspire", topic="lanterns at night")).finished()
    assert len(sparks.links) == 5 and "lantern" in sparks.text.lower()

    board = await ended(stage, await alice.slash(general, "brainstorm", brief=BRIEF, count=2))
    first, second = sorted(await ideas(stage), key=lambda entry: board.text.index(entry.idea.title))
    for entry in (first, second):
        idea = entry.idea
        assert format_fault(idea.body) is None and idea.first_step
        assert idea.provenance.model == embedded_model.name and idea.sparks[0].snippet.address in board.links

    known = {first.idea.id, second.idea.id}

    async def led_to(press: Interaction, parents: set[str]) -> None:
        """An idea that names its parents, or a line that says why there is none."""
        page = await ended(stage, press)
        new = [entry.idea for entry in await ideas(stage) if entry.idea.id not in known]
        known.update(idea.id for idea in new)
        for idea in new:
            assert set(idea.parents) == parents and idea.title in page.text
            assert format_fault(idea.body) is None
        assert new or "fit to show" in page.text, page.text

    await led_to(await alice.slash(general, "twist", idea=first.idea.id, how="without screens"), {first.idea.id})
    both = {first.idea.id, second.idea.id}
    await led_to(await alice.slash(general, "remix", a=first.idea.id, b=second.idea.id), both)
    asked = await (await alice.clicks(board, "Swap sparks")).finished()
    swapped = await alice.picks(asked, asked.selects[0].custom_id, second.idea.id)
    await led_to(swapped, {second.idea.id})
    await led_to(await alice.clicks(board, "More"), set())

    steps = await ended(stage, await alice.clicks(board, button(board, "Expand")))
    assert "step by step" in steps.text and "1. " in steps.text
    critique = await ended(stage, await alice.slash(general, "critique", idea=first.idea.id))
    assert first.idea.title in critique.text and len(critique.text.split()) > 20
    why = await ended(stage, await alice.clicks(board, button(board, "Why")))
    assert embedded_model.name in why.text

    await alice.says(general, f"<@{stage.bot.user.id}> I need an idea for a clock at the harbour")  # type: ignore[union-attr]
    said = await alice.sees(general, lambda message: "\n-# [" in message.content, within=PATIENCE)
    words, _, below = said.content.partition("\n-# ")
    assert len(words.split()) > 8 and len(said.content) <= 2000
    assert all(f"{mark} [" in below for mark in re.findall(r"\[\d+\]", words)), said.content
