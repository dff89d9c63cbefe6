"""The ideas benchmark: Kindling, its ablations and the anchors on the same briefs and seeds, as one table.

    python bench/ideas.py --quick                 a few briefs, one seed: minutes
    python bench/ideas.py                         all dev briefs, five seeds, everything: hours on a laptop
    python bench/ideas.py --systems ours,a0       only these

bench/yardstick.py holds the formulas. Prints a Markdown table; `--report` writes it with every idea's text, `--json`
all of it for programs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python would look for `bench` in this folder

from bench.ideation import anchors, ours, reading, table  # noqa: E402
from bench.ideation.anchors import Run, Shelf  # noqa: E402
from bench.ideation.referee import UntunedReferee, untuned  # noqa: E402
from bench.ideation.remembered import Remembered  # noqa: E402
from bench.yardstick import Yardstick  # noqa: E402
from bot.ideation.types import Technique  # noqa: E402
from bot.language.base import LanguageModel  # noqa: E402
from bot.language.local import LocalModel  # noqa: E402
from bot.services import EMBEDDED, Services, make_model, open_services  # noqa: E402
from bot.settings import read_settings  # noqa: E402
from knowledge.embedded import open_embedder  # noqa: E402
from knowledge.errors import BadInput, KindlingError  # noqa: E402

NAMES = {
    "ours": "Kindling",
    "a0": "A0 asked directly",
    "a1": "A1 asked for a list",
    "a2": "A2 as A0, temperature 1.3",
    "a3": "A3 three snippets pasted",
    "a4": "A4 templates, no model",
    "no-retrieval": "without retrieval",
    "no-technique": "without techniques",
    "no-gates": "without gates",
    "no-selection": "without selection",
    "no-gates-selection": "without gates and selection",
    "no-tuning": "without tuning",
}
QUICK_BRIEFS, QUICK_SEEDS = 4, 1
QUICK_SYSTEMS = ("ours", "a0", "a3", "a4")

T = TypeVar("T")
Maker = Callable[[str, int], Awaitable[Run]]
"""A brief and a seed to a run of one system."""


def main(
    briefs: Annotated[Path, typer.Option(help="JSON Lines with a 'brief' each.")] = ROOT / "bench/briefs_dev.jsonl",
    model: Annotated[str, typer.Option(help="As KINDLING_MODEL: embedded, a hub name, a folder, a file.")] = EMBEDDED,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    count: Annotated[int, typer.Option(min=2, max=20, help="Ideas for a brief.")] = 10,
    take: Annotated[int | None, typer.Option(min=1, help="Only so many briefs, spread over the file.")] = None,
    systems: Annotated[str, typer.Option(help=f"Which, by comma, of {', '.join(NAMES)}.")] = ",".join(NAMES),
    quick: Annotated[bool, typer.Option(help="A few briefs, one seed, the main systems.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    blind: Annotated[
        Path | None, typer.Option("--reading", help="Folder for a sheet to read blind, and its key.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write table and texts as Markdown.")] = None,
) -> None:
    """Measure ideas and print one table."""
    try:
        texts = [json.loads(line)["brief"] for line in briefs.read_text(encoding="utf-8").splitlines() if line.strip()]
        chosen = list(QUICK_SYSTEMS) if quick and systems == ",".join(NAMES) else systems.split(",")
        if unknown := set(chosen) - set(NAMES):
            raise BadInput(f"There is no system {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}.")
        asked = _spread(texts, take or (QUICK_BRIEFS if quick else len(texts)))
        entries = asyncio.run(_measure(texts, asked, model, QUICK_SEEDS if quick else seeds, count, chosen))
    except KindlingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    rows = {
        NAMES[name]: table.figures([entry for entry in entries if entry.system == NAMES[name]], count)
        for name in chosen
    }
    print(table.markdown(rows))
    if json_file:
        json_file.write_text(json.dumps(table.as_json(rows, entries), indent=1), encoding="utf-8")
    if blind:
        reading.write(reading.drawn(entries, hand_written()), blind)
    if report:
        title = f"Ideas for {len(asked)} briefs by {model}"
        report.write_text(table.report(title, rows, entries), encoding="utf-8")


async def _measure(
    all_briefs: Sequence[str], asked: Sequence[str], model_name: str, seeds: int, count: int, systems: Sequence[str]
) -> list[table.Entry]:
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    real = read_settings().model_copy(update={"model": model_name, "timeout": 3600.0})  # a busy machine is no fault
    models = real.data_dir / "models"
    settings = real.model_copy(update={"data_dir": real.data_dir / "bench"})
    embedder = Remembered(open_embedder(settings.embedder), settings.data_dir / "vectors")
    snippets = library_texts()
    shelf = Shelf(snippets, embedder.embed(snippets), embedder.embed)
    yardstick = Yardstick(embedder.embed, UntunedReferee(models), all_briefs, snippets, training_bodies())
    embedder.save()
    entries: list[table.Entry] = []
    language_model = make_model(real)
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("ideas", total=len(asked) * seeds * len(systems))
        async with open_services(settings, model=language_model) as services:
            makers = _makers(services, language_model, shelf, count)
            plain = [name for name in systems if name != "no-tuning"]
            for brief in asked:
                for seed in range(seeds):
                    for name in plain:
                        progress.update(task, description=NAMES[name])
                        run = await makers[name](brief, seed)
                        scored = yardstick.score(brief, run.ideas, run.offered, seed)
                        entries.append(table.Entry(NAMES[name], brief, seed, run, scored))
                        progress.advance(task)
        if "no-tuning" in systems:
            base = LocalModel("SmolLM2-135M-Instruct (untuned)", lambda tell: untuned(models, tell))
            shown = settings.model_copy(update={"prompts": "shown"})
            async with open_services(shown, model=base) as services:
                for brief in asked:
                    for seed in range(seeds):
                        progress.update(task, description=NAMES["no-tuning"])
                        run = await ours.brainstormed(services, brief, seed, count)
                        scored = yardstick.score(brief, run.ideas, run.offered, seed)
                        entries.append(table.Entry(NAMES["no-tuning"], brief, seed, run, scored))
                        progress.advance(task)
    return entries


def _makers(services: Services, model: LanguageModel, shelf: Shelf, count: int) -> dict[str, Maker]:
    """How each system makes its ideas. Those that share a pool of candidates write it once for each brief and seed."""
    pools: dict[tuple[str, int], ours.Pool] = {}

    async def pool(brief: str, seed: int) -> ours.Pool:
        if (brief, seed) not in pools:
            pools.clear()
            pools[brief, seed] = await ours.pooled(services, brief, seed, count)
        return pools[brief, seed]

    async def without_retrieval(brief: str, seed: int) -> Run:
        return (await ours.pooled(services, brief, seed, count, sparked=False)).selected(count)

    async def without_gates(brief: str, seed: int) -> Run:
        return (await pool(brief, seed)).ungated(count)

    async def without_selection(brief: str, seed: int) -> Run:
        return (await pool(brief, seed)).unselected(count)

    async def without_both(brief: str, seed: int) -> Run:
        return (await pool(brief, seed)).first(count)

    async def templates(brief: str, seed: int) -> Run:
        return anchors.filled_in(brief, seed, count, shelf)

    return {
        "ours": lambda brief, seed: ours.brainstormed(services, brief, seed, count),
        "no-technique": lambda brief, seed: ours.brainstormed(services, brief, seed, count, Technique.DIRECT),
        "no-retrieval": without_retrieval,
        "no-gates": without_gates,
        "no-selection": without_selection,
        "no-gates-selection": without_both,
        "a0": lambda brief, seed: anchors.asked_directly(model, brief, seed, count),
        "a1": lambda brief, seed: anchors.asked_for_a_list(model, brief, seed, count),
        "a2": lambda brief, seed: anchors.asked_directly(model, brief, seed, count, temperature=1.3),
        "a3": lambda brief, seed: anchors.asked_with_notes(model, brief, seed, count, shelf),
        "a4": templates,
    }


def library_texts() -> list[str]:
    """The texts of the starter snippets."""
    return _field(ROOT / "knowledge/starter/snippets.jsonl", lambda record: [record["text"]])


def training_bodies() -> list[str]:
    """The bodies of all ideas in the training examples, those that a twist or a remix begins with included."""

    def bodies(record: dict[str, Any]) -> list[str]:
        given = record["input"]
        earlier = [given[key]["idea"] for key in ("idea", "a", "b") if isinstance(given.get(key), dict)]
        return [*earlier, *([record["output"]["idea"]] if "idea" in record["output"] else [])]

    found = [text for path in sorted((ROOT / "training/examples").glob("*.jsonl")) for text in _field(path, bodies)]
    return list(dict.fromkeys(found))


def hand_written() -> list[tuple[str, str]]:
    """(brief, idea) of all brainstorms that people wrote for training."""

    def pair(record: dict[str, Any]) -> list[tuple[str, str]]:
        return [(record["input"]["brief"], record["output"]["idea"])] if record["task"] == "brainstorm" else []

    return [found for path in sorted((ROOT / "training/examples").glob("*.jsonl")) for found in _field(path, pair)]


def _field(path: Path, found: Callable[[dict[str, Any]], list[T]]) -> list[T]:
    """What `found` finds in each record of a JSON Lines file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [one for line in lines if line.strip() for one in found(json.loads(line))]


def _spread(texts: Sequence[str], count: int) -> list[str]:
    """`count` of the texts, evenly spread."""
    return [texts[number * len(texts) // count] for number in range(min(count, len(texts)))]


if __name__ == "__main__":
    typer.run(main)
