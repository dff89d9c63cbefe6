"""What the bench keeps: a broken run goes on where it was, and what was kept is what would have been written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from bench.ideation import ours
from bench.ideation.anchors import Run, asked_directly
from bench.ideation.kept import Kept, KeptModel, KeptReferee
from bench.ideation.sets import Arm, made, spread
from bench.yardstick import Shown
from bot.language.base import Continuation, LanguageModel, Message, Sampling
from bot.services import open_services
from bot.settings import Settings
from knowledge.errors import BadInput
from tests.bot.fakes import ScriptedModel
from tests.knowledge.fakes import HashEmbedder


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    kept = Kept(tmp_path / "kept.db")
    yield kept
    kept.close()


def told(messages: Sequence[Message], seed: int) -> str:
    return f"{messages[-1].text} {seed}."


def wanted(*seeds: int) -> list[Continuation]:
    return [Continuation((Message("user", "A lamp"),), Sampling(seed=seed)) for seed in seeds]


async def texts(model: LanguageModel, *seeds: int) -> list[str]:
    found = [""] * len(seeds)
    async for piece in model.stream([], wanted(*seeds)):
        found[piece.index] += piece.text
    return found


async def test_only_what_is_new_is_written_and_comes_in_its_place(kept: Kept) -> None:
    scripted = ScriptedModel(told)
    model = KeptModel(scripted, kept)
    assert await texts(model, 1, 2) == ["A lamp 1.", "A lamp 2."]
    assert await texts(model, 3, 2, 4, 1) == ["A lamp 3.", "A lamp 2.", "A lamp 4.", "A lamp 1."]
    assert len(scripted.asked) == model.written == 4
    model.fresh = True
    assert await texts(model, 1) == ["A lamp 1."]
    assert len(scripted.asked) == 5


async def test_another_model_or_another_way_of_asking_is_another_answer(kept: Kept) -> None:
    await texts(KeptModel(ScriptedModel(told, "one"), kept), 1)
    other = ScriptedModel(lambda messages, seed: "Other.", "two")
    assert await texts(KeptModel(other, kept), 1) == ["Other."]
    again = ScriptedModel(told, "one")
    hot = Continuation((Message("user", "A lamp"),), Sampling(seed=1, temperature=1.3))
    async for _ in KeptModel(again, kept).stream([], [hot]):
        pass
    assert len(again.asked) == 1


async def test_a_broken_run_keeps_what_was_finished_and_nothing_by_halves(kept: Kept) -> None:
    def some_longer(messages: Sequence[Message], seed: int) -> str:
        return "Done." if seed == 1 else "One two three four."

    model = KeptModel(ScriptedModel(some_longer), kept)
    async with aclosing(model.stream([], wanted(1, 2))) as pieces:
        async for piece in pieces:
            if piece.index == 1:
                break
    after = ScriptedModel(some_longer)
    assert await texts(KeptModel(after, kept), 1, 2) == ["Done.", "One two three four."]
    assert len(after.asked) == 1


async def test_a_broken_bench_goes_on_in_another_process(tmp_path: Path) -> None:
    first = Kept(tmp_path / "kept.db")
    run = await asked_directly(KeptModel(ScriptedModel(told), first), "a lamp", 0, 3)
    first.close()
    second, silent = Kept(tmp_path / "kept.db"), ScriptedModel(told)
    assert (await asked_directly(KeptModel(silent, second), "a lamp", 0, 3)).ideas == run.ideas
    assert not silent.asked
    second.close()


def test_a_referee_reads_each_text_once(kept: Kept) -> None:
    asked: list[str] = []

    def lengths(some: Sequence[str]) -> list[float]:
        asked.extend(some)
        return [float(len(text)) for text in some]

    assert KeptReferee("r", lengths, kept)(["a", "bb", "a"]) == [1.0, 2.0, 1.0]
    assert KeptReferee("r", lengths, kept)(["bb", "ccc"]) == [2.0, 3.0]
    assert asked == ["a", "bb", "ccc"]


async def test_sets_come_in_order_a_few_timed_alone_and_the_rest_together(kept: Kept) -> None:
    at_work, most, alone = 0, 0, list[bool]()
    model = KeptModel(ScriptedModel(told), kept)

    async def make(brief: str, seed: int) -> Run:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        alone.append(model.fresh)
        await asyncio.sleep(0)
        at_work -= 1
        return Run([Shown(f"{brief} {seed}")], [], 1.0, 2.0)

    jobs = [(brief, seed) for brief in ("a", "b", "c", "d") for seed in range(3)]
    done: list[None] = []
    arm = Arm("A0", make, together=4)
    runs = await made(arm, jobs, model, kept, lambda: done.append(None))
    assert [run.ideas[0].body for run in runs] == [f"{brief} {seed}" for brief, seed in jobs]
    assert (most, len(done), alone.count(True)) == (4, 12, 3)
    assert [run.total for run in runs].count(2.0) == 3
    assert [run.total for run in runs].count(None) == 9
    again = await made(arm, jobs, model, kept, lambda: None)
    assert alone.count(True) == 3, "what is timed already is not timed again"
    assert [run.total for run in again] == [run.total for run in runs]


async def test_what_goes_wrong_in_one_set_is_told_as_it_is(kept: Kept) -> None:
    async def make(brief: str, seed: int) -> Run:
        raise BadInput("no lamp")

    arm = Arm("A0", make, together=3, timed=False)
    with pytest.raises(BadInput, match="no lamp"):
        await made(arm, [("a", 0), ("b", 0)], KeptModel(ScriptedModel(told), kept), kept, lambda: None)


def test_spread_takes_all_or_evenly() -> None:
    assert spread([1, 2], 5) == [1, 2]
    assert spread(list(range(10)), 3) == [0, 3, 6]


async def test_arms_that_share_candidates_write_them_once(tmp_path: Path, kept: Kept) -> None:
    """Ablations of gates and selection choose among the very candidates that Kindling wrote in its first round."""
    model = KeptModel(ScriptedModel(), kept)
    settings = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    async with open_services(settings, model=model, embedder=lambda: HashEmbedder(dimension=64)) as services:
        await ours.brainstormed(services, "a lamp for a hall", 7, 4)
        wrote = model.written
        pool = await ours.pooled(services, "a lamp for a hall", 7, 4)
        assert wrote >= 12
        assert len(pool.candidates) == 12
        assert model.written == wrote
