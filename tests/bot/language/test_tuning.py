"""Tuning as `kindling tune` runs it: training/ at work on a tiny model, and every way in which it may end."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import warnings
from pathlib import Path

import pytest
from filelock import FileLock

from bot.language import embedded, tuning
from bot.language.base import Message, Sampling, complete
from bot.language.conversion import file_digest
from bot.language.errors import LanguageError
from bot.language.tuning import TuningFailed, tune, undo
from knowledge.errors import BadInput

from . import tiny
from .test_conversion import write_gguf

IDEAS = [
    {
        "task": "brainstorm",
        "input": {"brief": f"poster {number % 6}", "inspirations": ["A moth folds."], "technique": "analogy"},
        "output": {"title": "The Fold", "idea": f"Poster {number} folds like a moth.", "first_step": "Fold it."},
    }
    for number in range(30)
]
STAND_IN = """
import json, pathlib, sys, time
out, losses, ending = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
print("unpacking the weights 40%", flush=True)
print("step 1/4  loss 3.000  rate 1.0e-04  90 tokens/s  2 min left", flush=True)
if ending == "hang":
    time.sleep(600)
if ending == "fail":
    sys.exit("a warning\\nThe disk is full.")
out.mkdir()
(out / "adapter_config.json").write_text("{}")
told = {"held_out_loss": [{"step": n, "nats_a_token": loss} for n, loss in enumerate(losses)], "minutes": 0.1}
(out / "training.json").write_text(json.dumps(told))
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, losses: list[float], ending: str = "well") -> None:
    """In the place of the training process one that learns nothing, but tells and leaves what that would."""

    def command(examples: Path, out: Path, work: Path, **_: object) -> list[str]:
        assert len(examples.read_text(encoding="utf-8").splitlines()) == len(IDEAS)
        return [sys.executable, "-c", STAND_IN, str(out), json.dumps(losses), ending]

    monkeypatch.setattr(tuning, "command", command)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, locks apart."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def silent(_stage: str, _fraction: float) -> None:
    """Nobody watches."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with an adapter of its own from before."""
    own = tmp_path / "data" / embedded.OWN_ADAPTER
    own.mkdir(parents=True)
    (own / "adapter_config.json").write_text('{"former": true}')
    return own.parent


@pytest.fixture
def tiny_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model in the place of the packaged one, and the folder of an adapter that ships with it."""
    from training import adapter

    file = write_gguf(tmp_path / "tiny.gguf", tiny.model("llama"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft speaks to an older transformers
        model = adapter.attach(tiny.model("llama"), 2, 4, seed=0)
        adapter.save(model, adapter.weights(model), tmp_path / "shipped")
    monkeypatch.setattr(embedded, "find_gguf", lambda: file)
    monkeypatch.setattr(embedded, "GGUF_SHA256", file_digest(file))
    monkeypatch.setattr(embedded, "ADAPTER", tmp_path / "shipped")
    return tmp_path / "shipped"


async def test_a_model_is_tuned_used_and_taken_back(tiny_package: Path, tmp_path: Path) -> None:
    """With the real training process: the adapter goes before the shipped one, and former conversions go."""
    data_dir = tmp_path / "data"

    async def use() -> str:
        adapter = embedded.adapter_for(data_dir)
        model = embedded.embedded_model(data_dir / "models", adapter=adapter)
        await complete(model, [Message("user", "Hi")], Sampling(max_tokens=3, seed=1))
        await model.close()
        assert len([path for path in (data_dir / "models").iterdir() if path.is_dir()]) == 1
        return model.name

    shipped = await use()
    told: list[tuple[str, float]] = []
    tuned = tune(data_dir, IDEAS, epochs=0.4, device="cpu", tell=lambda stage, done: told.append((stage, done)))
    assert tuned.in_force and tuned.after < tuned.before
    assert embedded.adapter_for(data_dir) == data_dir / embedded.OWN_ADAPTER
    fractions = [done for _, done in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any(stage.startswith("held-out loss before") for stage, _ in told)
    assert any("min left" in stage for stage, _ in told)
    assert sorted(path.name for path in data_dir.iterdir() if not path.name.startswith(".")) == ["adapter", "models"]
    assert "poster" not in "".join(map(repr, contents(data_dir / embedded.OWN_ADAPTER)))
    assert await use() != shipped
    assert undo(data_dir) and not undo(data_dir)
    assert await use() == shipped


def test_the_adapter_that_came_out_replaces_the_former(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, [3.0, 2.5, 2.8])
    tuned = tune(data_dir, IDEAS, tell=silent)
    assert (tuned.before, tuned.after, tuned.in_force) == (3.0, 2.5, True)
    assert set(contents(data_dir)) == {"adapter/adapter_config.json", "adapter/training.json"}
    assert b"former" not in contents(data_dir)["adapter/adapter_config.json"]


def test_nothing_is_changed_when_the_loss_did_not_fall(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(data_dir)
    stand_in(monkeypatch, [3.0, 3.1, 3.0])
    tuned = tune(data_dir, IDEAS, tell=silent)
    assert not tuned.in_force and tuned.after == 3.0 and contents(data_dir) == before


def test_nothing_is_changed_when_the_process_fails_and_its_last_line_is_told(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(data_dir)
    stand_in(monkeypatch, [], "fail")
    with pytest.raises(TuningFailed, match=r"nothing was changed: The disk is full\.$"):
        tune(data_dir, IDEAS, tell=silent)
    assert contents(data_dir) == before


def test_breaking_off_ends_the_process_and_changes_nothing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the process is at work."""
    before, started = contents(data_dir), []
    stand_in(monkeypatch, [3.0, 1.0], "hang")
    popen = tuning.subprocess.Popen

    def start(*arguments: object, **options: object) -> object:
        started.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(tuning.subprocess, "Popen", start)

    def interrupt(stage: str, _fraction: float) -> None:
        if stage.startswith("learning"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(data_dir, IDEAS, tell=interrupt)
    assert started[0].returncode is not None
    assert contents(data_dir) == before


def test_what_a_killed_tuning_left_is_cleared_away(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / tuning.WORK / "adapter").mkdir(parents=True)
    (data_dir / tuning.WORK / "adapter" / "half").write_text("written")
    stand_in(monkeypatch, [3.0, 2.0])
    assert tune(data_dir, IDEAS, tell=silent).in_force
    assert "adapter/half" not in contents(data_dir) and not (data_dir / tuning.WORK).exists()


def test_two_do_not_tune_at_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, [3.0, 2.0])
    with FileLock(data_dir / ".tuning.lock"), pytest.raises(BadInput, match="already"):
        tune(data_dir, IDEAS, tell=silent)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(LanguageError, match="Cannot work in"):
        tune(tmp_path / "data", IDEAS, tell=silent)


def test_without_the_source_it_is_said_where_it_can_be_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "ROOT", tmp_path)
    with pytest.raises(BadInput, match="checkout"):
        tune(data_dir, IDEAS, tell=silent)


def test_an_adapter_of_another_model_is_one_line_that_says_what_to_do(tiny_package: Path, tmp_path: Path) -> None:
    own = tmp_path / "data" / embedded.OWN_ADAPTER
    shutil.copytree(tiny_package, own)
    (own / "adapter_model.safetensors").write_bytes(b"torn")
    model = embedded.embedded_model(tmp_path / "data" / "models", adapter=embedded.adapter_for(tmp_path / "data"))
    with pytest.raises(LanguageError, match=r"does not fit .*kindling tune --undo"):
        asyncio.run(model.load())
    asyncio.run(model.close())
