"""The speed of the language engine: against llama.cpp and transformers' `generate`, same weights, same prompts.

    python bench/language.py                      5 rounds of everything: about 15 minutes on two cores
    python bench/language.py --rounds 1 --quick   a look: two tasks, short answers
    python bench/language.py --only chat          the tasks whose name has "chat" in it
    python bench/language.py --llama-python PATH  llama-cpp-python is in that interpreter's environment, not in this one

In each round every contender does each task, in turn, so that a busy machine slows all alike; a ratio is the median
over rounds of that round's ratio. Each runs in a process of its own, whose peak memory is told, and its threads wait as
they do where people use it: Kindling's as crew.py has it, others' as OpenMP has it. All answers have the same length
(ends are ignored). The quality guard compares the engine's distributions with those of plain float32 transformers.
parallel_llama.py says how to install llama.cpp; without it that table is left out.

On CUDA one more takes part: Kindling's engine without graphs, each step asked for operation by operation.

Prints Markdown tables; `--json FILE` writes the numbers for programs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python would look for `bot` in this folder

from bench.contenders import Absent, Contender, serve  # noqa: E402
from bench.divergence import Divergence, divergence  # noqa: E402
from bot.language.conversion import Recipe, converted  # noqa: E402
from bot.language.embedded import GGUF_SHA256, find_gguf  # noqa: E402
from bot.language.tokenizer import read_tokenizer  # noqa: E402
from knowledge.crew import OPENMP  # noqa: E402

SHARED, OWN = 504, 32
"""Tokens that all prompts of a request begin with, and tokens that each adds."""


@dataclass(frozen=True, slots=True)
class Task:
    """`requests` people at once, each wanting `answers` answers of `tokens` tokens to a prompt of their own."""

    name: str
    requests: int
    answers: int
    tokens: int = 64


TASKS = (
    Task("8 ideas", 1, 8),
    Task("16 ideas", 1, 16),
    Task("one chat stream", 1, 1),
    Task("8 chats at once", 8, 1),
    Task("8 brainstorms of 4 at once", 8, 4),
)
QUICK = (Task("8 ideas, short", 1, 8, tokens=16), Task("one chat stream, short", 1, 1, tokens=16))


def jobs(task: Task, number: int, tokens: list[int]) -> dict[str, Any]:
    """A task's job (see contenders.py): other text in each round, so that no cache has seen it."""
    stretch = SHARED + task.answers * OWN
    requests = []
    for person in range(task.requests):
        start = (number * 4999 + person * 997) % (len(tokens) - stretch)
        own = [start + SHARED + answer * OWN for answer in range(task.answers)]
        requests.append({"shared": tokens[start : start + SHARED], "own": [tokens[at : at + OWN] for at in own]})
    return {"tokens": task.tokens, "requests": requests}


def prose(folder: Path) -> list[int]:
    """Token ids of English text: what the starter collection says."""
    lines = (ROOT / "knowledge" / "starter" / "snippets.jsonl").read_text(encoding="utf-8").splitlines()
    text = "\n".join(f"{snippet['title']}. {snippet['text']}" for snippet in map(json.loads, lines))
    tokens: list[int] = read_tokenizer(folder).encode(text, add_special_tokens=False)
    return tokens


Seconds = dict[str, dict[str, list[dict[str, float]]]]
"""{task: {contender: [{"first": ..., "total": ...} for each round]}}"""


def race(
    contenders: dict[str, Contender], tasks: tuple[Task, ...], rounds: int, tokens: list[int]
) -> tuple[Seconds, dict[str, int]]:
    """How long each contender took, and its peak memory in bytes."""
    seconds: Seconds = {task.name: {name: [] for name in contenders} for task in tasks}
    for number in range(-1, rounds):  # the first one warms up
        for task in tasks if number >= 0 else (QUICK[-1],):
            for name in contenders if number % 2 else reversed(contenders):
                taken = contenders[name].work(jobs(task, number + 1, tokens))
                if number >= 0:
                    seconds[task.name][name].append(taken)
                    times = ", ".join(f"{what} {value:.2f} s" for what, value in taken.items())
                    told = f"round {number + 1}, {task.name}, {name}: {times}"
                    print(told, file=sys.stderr, flush=True)
    return seconds, {name: contender.end() for name, contender in contenders.items()}


def report(tasks: tuple[Task, ...], seconds: Seconds, peaks: dict[str, int], guard: Divergence | None) -> str:
    """The tables."""
    lines = []
    for rival in [name for name in peaks if name != "kindling"]:
        lines += [
            f"| task | first token: {rival} | Kindling | ratio | tokens/s: {rival} | Kindling | ratio |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for task in tasks:
            ours, theirs = seconds[task.name]["kindling"], seconds[task.name][rival]
            tokens = task.requests * task.answers * task.tokens
            first = [statistics.median(taken["first"] for taken in side) for side in (theirs, ours)]
            speed = [tokens / statistics.median(taken["total"] for taken in side) for side in (theirs, ours)]
            ratio = {
                what: statistics.median(t[what] / o[what] for o, t in zip(ours, theirs, strict=True))
                for what in ("first", "total")
            }
            lines.append(
                f"| {task.name} | {first[0]:.2f} s | {first[1]:.2f} s | {ratio['first']:.2f}x "
                f"| {speed[0]:.0f} | {speed[1]:.0f} | {ratio['total']:.2f}x |"
            )
        lines.append("")
    lines.append("Peak memory: " + ", ".join(f"{name} {peak / 1e6:.0f} MB" for name, peak in peaks.items()) + ".")
    if guard:
        lines.append(
            f"Quality guard: KL to float32 {max(0.0, guard.kl):.6f} nats, "
            f"same first token {guard.agree:.1%}, {guard.tokens} tokens."
        )
    return "\n".join(lines)


def enter(options: argparse.Namespace, folder: Path) -> dict[str, Contender]:
    """Start the contenders that there are."""
    import torch

    own = [sys.executable, __file__, "--device", options.device, "--model", str(folder), "--serve"]
    commands = {"kindling": [*own, "kindling"]}
    if not options.model:  # llama.cpp has the embedded model's GGUF, and of other models nothing
        commands["llama.cpp"] = [options.llama_python, str(ROOT / "bench" / "parallel_llama.py"), str(find_gguf())]
    if options.device != "cpu" and torch.cuda.is_available():
        commands["no graphs"] = [*own, "no graphs"]
    commands["generate"] = [*own, "generate"]
    contenders = {}
    for name in (name for name in commands if name == "kindling" or name not in options.without.split(",")):
        try:
            ours = name in {"kindling", "no graphs"}
            contenders[name] = Contender(commands[name], OPENMP if ours else {})
        except Absent as reason:
            print(f"{name} does not take part: {reason}", file=sys.stderr)
    return contenders


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds (default 5)")
    parser.add_argument("--quick", action="store_true", help="two short tasks only")
    parser.add_argument("--only", default="", help="only tasks whose name contains this")
    parser.add_argument("--without", default="", help="contenders to leave out, joined by commas")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument("--model", type=Path, help="a model's folder (default: the embedded model, as it came)")
    parser.add_argument("--models", type=Path, default=ROOT / ".cache" / "models", help="where converted models are")
    parser.add_argument("--llama-python", default=sys.executable, help="an interpreter that has llama-cpp-python")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.model, options.device)
        return
    folder = options.model or converted(Recipe(find_gguf(), GGUF_SHA256, GGUF_SHA256), options.models)
    tasks = tuple(task for task in (QUICK if options.quick else TASKS) if options.only in task.name)
    contenders = enter(options, folder)
    seconds, peaks = race(contenders, tasks, options.rounds, prose(folder))
    guard = divergence(folder, options.device)
    print(report(tasks, seconds, peaks, guard))
    if options.json:
        numbers = {
            "rounds": options.rounds,
            "tasks": [asdict(task) for task in tasks],
            "seconds": seconds,
            "peak_bytes": peaks,
            "quality": asdict(guard) if guard else None,
        }
        options.json.write_text(json.dumps(numbers, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
