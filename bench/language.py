"""The speed of the language engine: Kindling's against transformers' own `generate`, same weights, same prompts.

    python bench/language.py                      5 rounds of everything: about 15 minutes on two cores
    python bench/language.py --rounds 1 --quick   a look: two tasks, short answers
    python bench/language.py --only chat          the tasks whose name has "chat" in it

In each round both do each task, in turn, so that a busy machine slows both alike; a ratio is the median over rounds of
that round's ratio. Each runs in a process of its own, whose peak memory is told. All answers have the same length (ends
are ignored). The quality guard compares the engine's distributions with those of plain float32 transformers.

Prints Markdown tables; `--json FILE` writes the numbers for programs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Threads that wait for one another go to sleep: spinning, as they would by default, they starve each other as soon as
# anything else wants a core. torch's OpenMP reads this once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python would look for `bot` in this folder

from bot.language.base import Continuation, Message, Sampling  # noqa: E402
from bot.language.conversion import Recipe, converted  # noqa: E402
from bot.language.embedded import GGUF_SHA256, find_gguf  # noqa: E402
from bot.language.loading import Loaded, load  # noqa: E402
from bot.language.surroundings import quiet  # noqa: E402

CONTENDERS = ("kindling", "generate")


@dataclass(frozen=True, slots=True)
class Task:
    """`requests` people at once, each wanting `answers` of `tokens` tokens to one shared prompt of their own.

    `words` is the length of what all answers of a request share, `own` of what each adds.
    """

    name: str
    requests: int
    answers: int
    tokens: int = 64
    words: int = 300
    own: int = 30


TASKS = (
    Task("8 ideas", 1, 8),
    Task("16 ideas", 1, 16),
    Task("one chat stream", 1, 1),
    Task("8 brainstorms of 4 at once", 8, 4),
)
QUICK = (Task("8 ideas, short", 1, 8, tokens=16), Task("one chat stream, short", 1, 1, tokens=16))


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the start of a task to its first token and to its last."""

    first: float
    total: float


def prompts(task: Task, round_number: int) -> list[tuple[list[Message], list[Continuation]]]:
    """The requests of a task: real text from this project, different in each round so that no cache has seen it."""
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "bot").glob("*.py"))).split()
    made = []
    for person in range(task.requests):
        start = (round_number * 1000 + person * 400) % (len(words) - 400)
        shared = [Message("system", " ".join(words[start : start + task.words]))]
        continuations = [
            Continuation(
                (Message("user", " ".join(words[(start + 97 * i) % 500 :][: task.own])),),
                Sampling(seed=i, max_tokens=task.tokens),
            )
            for i in range(task.answers)
        ]
        made.append((shared, continuations))
    return made


def kindling(folder: Path, device: str) -> Callable[[Task, int], Timing]:
    """Kindling's engine, without what it remembers from round to round."""
    from bot.language.attention import use_in
    from bot.language.engine import Engine
    from bot.language.packed import pack_linears
    from bot.language.requests import make_request

    loaded = endless(load(folder, device))
    if loaded.device.type == "cpu":
        pack_linears(loaded.model)
    shape = use_in(loaded.model)

    def work(task: Task, round_number: int) -> Timing:
        engine, heard = Engine(loaded, shape), []
        began = time.perf_counter()
        for shared, continuations in prompts(task, round_number):
            deliver = lambda news: heard.append((time.perf_counter(), news))  # noqa: E731
            engine.add(make_request(loaded.template, shared, continuations, loaded.window, deliver, threading.Event()))
        while engine.busy:
            engine.step()
        return Timing(heard[0][0] - began, time.perf_counter() - began)

    return work


def generate(folder: Path, device: str) -> Callable[[Task, int], Timing]:
    """transformers' generate: a request's prompts as one padded batch, request after request."""
    import torch
    from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

    loaded = endless(load(folder, device))
    loaded.model.generation_config.eos_token_id = None

    class Clock(StoppingCriteria):
        """Is asked at each step whether to stop: it never does, and notes the time."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def __call__(self, input_ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
            self.times.append(time.perf_counter())
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def work(task: Task, round_number: int) -> Timing:
        clock, began = Clock(), time.perf_counter()
        settings = GenerationConfig(
            do_sample=True, temperature=0.9, top_k=50, top_p=0.95, max_new_tokens=task.tokens, pad_token_id=0
        )
        for shared, continuations in prompts(task, round_number):
            rows = [loaded.template.prompt([*shared, *one.messages]) for one in continuations]
            longest = max(map(len, rows))
            ids = [[0] * (longest - len(row)) + row for row in rows]
            mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
            with torch.inference_mode():
                loaded.model.generate(
                    torch.tensor(ids, device=loaded.device),
                    attention_mask=torch.tensor(mask, device=loaded.device),
                    generation_config=settings,
                    stopping_criteria=StoppingCriteriaList([clock]),
                )
        return Timing(clock.times[0] - began, time.perf_counter() - began)

    return work


def endless(loaded: Loaded) -> Loaded:
    """The model, ending no answer by itself."""
    return replace(loaded, end_tokens=frozenset())


def serve(name: str, folder: Path, device: str, line: Connection) -> None:
    """A contender's process: does the tasks that come down the line; at its end it tells its peak memory in bytes."""
    work = {"kindling": kindling, "generate": generate}[name](folder, device)
    line.send("ready")
    while (job := line.recv()) is not None:
        line.send(work(*job))
    line.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def race(folder: Path, device: str, tasks: tuple[Task, ...], rounds: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Timings by task name and contender, one a round, and each contender's peak memory."""
    spawn = multiprocessing.get_context("spawn")
    lines: dict[str, Connection] = {}
    for name in CONTENDERS:
        lines[name], theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(name, folder, device, theirs), daemon=True).start()
        lines[name].recv()
    timings: dict[str, dict[str, list[Timing]]] = {task.name: {name: [] for name in CONTENDERS} for task in tasks}
    for number in range(-1, rounds):  # the first one warms up
        for task in tasks if number >= 0 else (QUICK[-1],):
            for name in CONTENDERS if number % 2 else reversed(CONTENDERS):
                lines[name].send((task, number + 1))
                timing = lines[name].recv()
                if number >= 0:
                    timings[task.name][name].append(timing)
                    told = f"round {number + 1}, {task.name}, {name}: {timing.total:.1f} s"
                    print(told, file=sys.stderr, flush=True)
    peaks = {}
    for name, line in lines.items():
        line.send(None)
        peaks[name] = line.recv()
    return timings, peaks


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the engine's next-token distributions are from float32 transformers', over `tokens` tokens of text.

    `kl` is the mean Kullback-Leibler divergence in nats, `agree` the share of tokens at which both rank the same first.
    """

    kl: float
    agree: float
    tokens: int


def quality(folder: Path, device: str) -> Quality:
    """Compare on fixed texts, each read by the engine's attention as a prefix and a sequence of its own."""
    import torch
    from transformers import AutoModelForCausalLM

    from bot.language.attention import KeyValues, Segment, use_in
    from bot.language.packed import pack_linears

    loaded = load(folder, device)
    with quiet():
        reference = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True).eval()
    if loaded.device.type == "cpu":
        pack_linears(loaded.model)
    shape = use_in(loaded.model)
    divergence, same = [], []
    with torch.inference_mode():
        for text in texts():
            tokens = loaded.template.prompt([Message("user", text)])[:256]
            half = len(tokens) // 2
            prefix, own = KeyValues(shape, 1, half), KeyValues(shape, 1, len(tokens))
            parts = [Segment(prefix, [0], [0], [half]), Segment(own, [0], [0], [len(tokens) - half], prefix, half)]
            ours = torch.cat([logits(loaded, part, tokens) for part in parts]).log_softmax(-1)
            theirs = reference(torch.tensor([tokens])).logits[0].log_softmax(-1)
            divergence += (theirs.exp() * (theirs - ours)).sum(-1).tolist()
            same += (ours.argmax(-1) == theirs.argmax(-1)).tolist()
    return Quality(statistics.mean(divergence), statistics.mean(same), len(same))


def logits(loaded: Loaded, segment: Any, tokens: list[int]) -> Any:
    """The engine's logits (tokens of the segment, vocabulary) in float32, on the CPU."""
    import torch

    mine = [[tokens[position] for position in segment.positions]]
    out = loaded.model(
        input_ids=torch.tensor(mine, device=loaded.device),
        position_ids=torch.tensor([segment.positions], device=loaded.device),
        step=[segment],
        use_cache=False,
    )
    return out.logits[0].float().cpu()


def texts() -> Iterator[str]:
    """English prose that the model has not seen: what Kindling's own modules say of themselves."""
    for path in sorted((ROOT / "bot" / "language").glob("*.py")):
        yield path.read_text(encoding="utf-8").split('"""')[1]


def report(tasks: tuple[Task, ...], timings: dict[str, Any], peaks: dict[str, int], guard: Quality) -> str:
    """The tables."""
    lines = [
        "| task | first token, generate | Kindling | ratio | tokens/s, generate | Kindling | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for task in tasks:
        ours, theirs = (timings[task.name][name] for name in CONTENDERS)
        tokens = task.requests * task.answers * task.tokens
        first = [statistics.median(t.first for t in side) for side in (theirs, ours)]
        speed = [tokens / statistics.median(t.total for t in side) for side in (theirs, ours)]
        firsts = statistics.median(t.first / o.first for o, t in zip(ours, theirs, strict=True))
        totals = statistics.median(t.total / o.total for o, t in zip(ours, theirs, strict=True))
        lines.append(
            f"| {task.name} | {first[0]:.2f} s | {first[1]:.2f} s | {firsts:.1f}x "
            f"| {speed[0]:.0f} | {speed[1]:.0f} | {totals:.1f}x |"
        )
    lines += [
        "",
        f"Peak memory: Kindling {peaks['kindling'] / 1e6:.0f} MB, generate {peaks['generate'] / 1e6:.0f} MB.",
        f"Quality guard: KL to float32 {guard.kl:.6f} nats, same first token {guard.agree:.1%}, {guard.tokens} tokens.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds (default 5)")
    parser.add_argument("--quick", action="store_true", help="two short tasks only")
    parser.add_argument("--only", default="", help="only tasks whose name contains this")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--model", type=Path, help="a model's folder (default: the embedded model, as it came)")
    parser.add_argument("--models", type=Path, default=ROOT / ".cache" / "models", help="where converted models are")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()
    folder = options.model or converted(Recipe(find_gguf(), GGUF_SHA256, GGUF_SHA256), options.models)
    tasks = tuple(task for task in (QUICK if options.quick else TASKS) if options.only in task.name)
    timings, peaks = race(folder, options.device, tasks, options.rounds)
    guard = quality(folder, options.device)  # last: a process's peak memory counts in those that it starts
    print(report(tasks, timings, peaks, guard))
    if options.json:
        numbers = {
            "rounds": options.rounds,
            "tasks": [asdict(task) for task in tasks],
            "seconds": {t: {n: [asdict(one) for one in side] for n, side in c.items()} for t, c in timings.items()},
            "peak_bytes": peaks,
            "quality": asdict(guard),
        }
        options.json.write_text(json.dumps(numbers, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
