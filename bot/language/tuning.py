"""Tuning the embedded model: training/ at work in a process of its own, and the adapter that comes of it put in force.

Whatever is written on the way lies in one folder, which is removed in the end, however that comes. The adapter takes
its place by a rename, and only if its held-out loss fell, so that whoever breaks off or fails has changed nothing. This
module knows lines of training examples, but not whose they are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.language import embedded
from bot.language.conversion import Progress
from bot.language.errors import LanguageError
from knowledge.errors import BadInput

ROOT = Path(__file__).parents[2]
"""The folder that training/ lies in, if this is a checkout: it is not installed, its examples are read by no bot."""
WORK = "tuning"
PATIENCE = 10  # seconds that a process has to end before it is killed

_STEP = re.compile(r"step (\d+)/(\d+) .*?(\d+) min left")
_PERCENT = re.compile(r"(.+) \d+%")

# For the estimate. Characters of JSON a token: 10,386 shipped examples have 5.8 million and 1.5 million.
CHARACTERS_A_TOKEN = 3.8
TOKENS_A_SECOND = 85.0  # half of what two processes do on two quiet cores with AVX2 (training/README.md)
MEASURING = 1.3  # what measuring adds to learning
PREPARING = 1.0  # minutes for converting the model as it came


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it: held-out loss in nats a token before and after, and whether the new adapter is in force."""

    before: float
    after: float
    in_force: bool
    minutes: float


class TuningFailed(LanguageError):
    """The training process ended with an error, of which the message says the last line."""


def require_training() -> None:
    """Raise `BadInput` where training/ is missing."""
    if not (ROOT / "training" / "own.py").is_file():
        raise BadInput(
            "Tuning needs the folder training/ of Kindling's source, which is not installed: run it from a checkout, "
            "where `make run` set everything up."
        )


def estimated_minutes(records: Sequence[Mapping[str, Any]], epochs: float) -> float:
    """About how long learning from these examples takes on a quiet CPU, with as many shipped ones mixed in."""
    characters = sum(len(json.dumps(record, ensure_ascii=False)) for record in records)
    return PREPARING + 2 * epochs * MEASURING * characters / CHARACTERS_A_TOKEN / TOKENS_A_SECOND / 60


def command(examples: Path, out: Path, work: Path, *, epochs: float, minutes: float | None, device: str) -> list[str]:
    """The training process. Raises ModelNotFound where the packaged weights are missing."""
    adapter = embedded.find_adapter()
    options = {
        "--gguf": embedded.find_gguf(),
        "--sha256": embedded.GGUF_SHA256,
        "--work": work,
        "--epochs": epochs,
        "--device": device,
        **({"--go-on-from": adapter} if adapter else {}),
        **({"--minutes": minutes} if minutes else {}),
    }
    words = [str(word) for option in options.items() for word in option]
    return [sys.executable, "-m", "training.own", str(examples), str(out), *words]


def tune(
    data_dir: Path,
    records: Sequence[Mapping[str, Any]],
    *,
    epochs: float = 2.0,
    minutes: float | None = None,
    device: str = "auto",
    tell: Progress,
) -> Tuned:
    """Learn from examples and put the adapter in force if its held-out loss fell. Takes minutes to hours; blocks.

    An exception on the way, KeyboardInterrupt included, ends the process and leaves everything as it was. Raises
    TuningFailed, ModelNotFound, LanguageError where the data folder can't be written, and BadInput where training/ is
    missing or somebody else is tuning.
    """
    require_training()
    with _workplace(data_dir) as work:
        examples, out = work / "examples.jsonl", work / "adapter"
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        examples.write_text("".join(lines), encoding="utf-8")
        _run(command(examples, out, work, epochs=epochs, minutes=minutes, device=device), work, tell)
        told = json.loads((out / "training.json").read_text(encoding="utf-8"))
        losses = [one["nats_a_token"] for one in told["held_out_loss"]]
        tuned = Tuned(losses[0], min(losses), min(losses) < losses[0], told["minutes"])
        if tuned.in_force:
            _put_in_force(out, data_dir, work)
        return tuned


def undo(data_dir: Path) -> bool:
    """Go back to the shipped adapter; False where it is in force already. Raises what `tune` raises of the folder."""
    own = data_dir / embedded.OWN_ADAPTER
    if not own.exists():
        return False
    with _workplace(data_dir) as work:
        own.rename(work / "former")
    return True


@contextmanager
def _workplace(data_dir: Path) -> Iterator[Path]:
    """A folder to work in, for one at a time, which is gone afterwards."""
    from filelock import FileLock, Timeout

    work = data_dir / WORK
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{WORK}.lock", timeout=0):
            shutil.rmtree(work, ignore_errors=True)  # of somebody who was killed
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except Timeout:
        raise BadInput("Somebody is tuning on this data folder already: wait for its end, or stop it.") from None
    except BrokenPipeError:  # whoever was told how far it is has gone
        raise
    except OSError as error:
        raise LanguageError(f"Cannot work in {work}: {error.strerror or error}") from error


def _run(words: Sequence[str], work: Path, tell: Progress) -> None:
    """Run the training process, tell how far it is, and see that it ends with this call."""
    surroundings = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    surroundings |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}  # it runs for hours: others come first
    with (
        (work / "errors.txt").open("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(  # noqa: S603 (our own module, no words of others)
            words,
            cwd=ROOT,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **surroundings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for this process: it ends the other
        ) as process,
    ):
        try:
            assert process.stdout is not None
            _follow(process.stdout, tell)
            process.wait()
        except BaseException:
            _stop(process)
            raise
        if process.returncode:
            errors.seek(0)
            said = [line.strip() for line in errors.read().splitlines() if line.strip()]
            last = said[-1] if said else f"it ended with code {process.returncode}"
            raise TuningFailed(f"Tuning failed, and nothing was changed: {last}")


def _follow(lines: Iterable[str], tell: Progress) -> None:
    fraction = 0.0
    for line in lines:
        if step := _STEP.match(line):
            fraction = int(step[1]) / int(step[2])
            tell(f"learning, step {step[1]} of {step[2]}, {step[3]} min left", fraction)
        elif percent := _PERCENT.fullmatch(line.strip()):
            tell(percent[1], fraction)
        else:
            tell(line.strip(), fraction)


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # it does not listen, or somebody will not wait
        process.kill()
        process.wait()


def _put_in_force(adapter: Path, data_dir: Path, work: Path) -> None:
    own, former = data_dir / embedded.OWN_ADAPTER, work / "former"
    if own.exists():
        own.rename(former)
    try:
        adapter.rename(own)
    except BaseException:
        if former.exists():
            former.rename(own)
        raise
