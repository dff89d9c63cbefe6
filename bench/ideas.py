"""The ideas benchmark: Kindling, its ablations and the anchors on the same briefs and seeds, as one table.

    python bench/ideas.py --quick                 a few briefs, one seed: minutes
    python bench/ideas.py                         all dev briefs, five seeds, everything: hours on a laptop
    python bench/ideas.py --systems ours,a0       only these

bench/yardstick.py holds the formulas. Prints a Markdown table; `--report` writes it with every idea's text beside its
scores, `--json` all of it for programs and for bench/reading.py.

What a model writes, what the referee says of it and the times are kept in the data folder (bench/kept.db): a run that
was broken off goes on where it was, and one after a change of gates or selection costs no model.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python would look for `bench` in this folder

from knowledge.crew import wait_briefly  # noqa: E402

wait_briefly()  # as bot/__main__.py does, before torch is loaded

from bench.ideation import anchors, ours, table  # noqa: E402
from bench.ideation.anchors import Run, Shelf  # noqa: E402
from bench.ideation.kept import Kept, KeptModel, KeptReferee  # noqa: E402
from bench.ideation.referee import UntunedReferee, untuned  # noqa: E402
from bench.ideation.remembered import Remembered  # noqa: E402
from bench.ideation.sets import Arm, Maker, made, spread  # noqa: E402
from bench.yardstick import Yardstick  # noqa: E402
from bot.ideation.types import Technique  # noqa: E402
from bot.language.embedded import GGUF_SHA256  # noqa: E402
from bot.language.engine import Limits  # noqa: E402
from bot.language.local import LocalModel  # noqa: E402
from bot.services import EMBEDDED, Services, make_model, open_services  # noqa: E402
from bot.settings import read_settings  # noqa: E402
from knowledge.embedded import open_embedder  # noqa: E402
from knowledge.errors import BadInput, KindlingError  # noqa: E402
from training.learned import bodies  # noqa: E402

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


def main(
    briefs: Annotated[Path, typer.Option(help="JSON Lines with a 'brief' each.")] = ROOT / "bench/briefs_dev.jsonl",
    model: Annotated[str, typer.Option(help="As KINDLING_MODEL: embedded, a hub name, a folder, a file.")] = EMBEDDED,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    count: Annotated[int, typer.Option(min=2, max=20, help="Ideas for a brief.")] = 10,
    take: Annotated[int | None, typer.Option(min=1, help="Only so many briefs, spread over the file.")] = None,
    systems: Annotated[str, typer.Option(help=f"Which, by comma, of {', '.join(NAMES)}.")] = ",".join(NAMES),
    quick: Annotated[bool, typer.Option(help="A few briefs, one seed, the main systems.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write table and texts as Markdown.")] = None,
) -> None:
    """Measure ideas and print one table."""
    try:
        texts = [json.loads(line)["brief"] for line in briefs.read_text(encoding="utf-8").splitlines() if line.strip()]
        chosen = list(QUICK_SYSTEMS) if quick and systems == ",".join(NAMES) else systems.split(",")
        if unknown := set(chosen) - set(NAMES):
            raise BadInput(f"There is no system {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}.")
        asked = spread(texts, take or (QUICK_BRIEFS if quick else len(texts)))
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
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    jobs = [(brief, seed) for brief in asked for seed in range(seeds)]
    entries: list[table.Entry] = []
    with closing(Kept(settings.data_dir / "kept.db")) as kept, Progress(*columns, console=console) as progress:
        task = progress.add_task("reading the library", total=2 * len(jobs) * len(systems))
        embedder = Remembered(open_embedder(settings.embedder), settings.data_dir / "vectors")
        snippets = library_texts()
        shelf = Shelf(snippets, embedder.embed(snippets), embedder.embed)
        referee = KeptReferee(f"untuned {GGUF_SHA256}", UntunedReferee(models), kept)
        yardstick = Yardstick(embedder.embed, referee, all_briefs, snippets, bodies())
        embedder.save()

        async def measured(model: KeptModel, arm: Arm) -> None:
            progress.update(task, description=arm.name)
            began, before = time.perf_counter(), model.written
            runs = await made(arm, jobs, model, kept, lambda: progress.advance(task))
            took, wrote = time.perf_counter() - began, model.written - before
            console.print(f"{arm.name}: {len(jobs)} sets in {took:.0f} s, {wrote} answers written", highlight=False)
            for (brief, seed), run in zip(jobs, runs, strict=True):
                scored = yardstick.score(brief, run.ideas, run.offered, seed)
                entries.append(table.Entry(arm.name, brief, seed, run, scored))
                progress.advance(task)

        tuned = KeptModel(make_model(real), kept)
        async with open_services(settings, model=tuned) as services:
            arms = _arms(services, tuned, shelf, count)
            if any(name not in ("a4", "no-tuning") for name in systems):
                await tuned.load()
            for name in systems:
                if name != "no-tuning":
                    await measured(tuned, arms[name])
        if "no-tuning" in systems:
            base = KeptModel(LocalModel("SmolLM2-135M-Instruct (untuned)", lambda tell: untuned(models, tell)), kept)
            shown = settings.model_copy(update={"prompts": "shown"})
            async with open_services(shown, model=base) as services:
                await base.load()
                await measured(base, _arms(services, base, shelf, count)["no-tuning"])
        embedder.save()
    return entries


def _arms(services: Services, model: KeptModel, shelf: Shelf, count: int) -> dict[str, Arm]:
    """All systems. As many sets run together as fill the engine's places with answers, and one to follow on."""
    settings = services.settings
    places = Limits().places

    def arm(name: str, make: Maker, answers: int, timed: bool = True) -> Arm:
        setup = (count, settings.candidates, settings.rounds, settings.temperature, settings.prompts)
        return Arm(NAMES[name], make, math.ceil(places / answers) + 1, timed, setup)

    def ours_with(technique: Technique | None) -> Maker:
        return lambda brief, seed: ours.brainstormed(services, brief, seed, count, technique)

    def of_pool(choose: Callable[[ours.Pool], Run], sparked: bool = True) -> Maker:
        async def make(brief: str, seed: int) -> Run:
            return choose(await ours.pooled(services, brief, seed, count, sparked=sparked))

        return make

    async def templates(brief: str, seed: int) -> Run:
        return anchors.filled_in(brief, seed, count, shelf)

    pool = math.ceil(count * settings.candidates)
    directly, with_notes, a_list = anchors.asked_directly, anchors.asked_with_notes, anchors.asked_for_a_list
    found = [
        ("ours", arm("ours", ours_with(None), pool)),
        ("no-technique", arm("no-technique", ours_with(Technique.DIRECT), pool)),
        ("no-tuning", arm("no-tuning", ours_with(None), pool)),
        ("no-retrieval", arm("no-retrieval", of_pool(lambda p: p.selected(count), sparked=False), pool)),
        ("no-gates", arm("no-gates", of_pool(lambda p: p.ungated(count)), pool, timed=False)),
        ("no-selection", arm("no-selection", of_pool(lambda p: p.unselected(count)), pool, timed=False)),
        ("no-gates-selection", arm("no-gates-selection", of_pool(lambda p: p.first(count)), pool, timed=False)),
        ("a0", arm("a0", lambda brief, seed: directly(model, brief, seed, count), count)),
        ("a1", arm("a1", lambda brief, seed: a_list(model, brief, seed, count), 1)),
        ("a2", arm("a2", lambda brief, seed: directly(model, brief, seed, count, temperature=1.3), count)),
        ("a3", arm("a3", lambda brief, seed: with_notes(model, brief, seed, count, shelf), count)),
        ("a4", arm("a4", templates, places)),
    ]
    return dict(found)


def library_texts() -> list[str]:
    """The texts of the starter snippets."""
    return _field(ROOT / "knowledge/starter/snippets.jsonl", lambda record: [record["text"]])


def _field(path: Path, found: Callable[[dict[str, Any]], list[T]]) -> list[T]:
    """What `found` finds in each record of a JSON Lines file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [one for line in lines if line.strip() for one in found(json.loads(line))]


if __name__ == "__main__":
    typer.run(main)
