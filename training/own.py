"""Tune the embedded model on a team's own kept ideas: what `kindling tune` runs in a process of its own.

It starts with the shipped adapter, always: what an earlier tuning learned is not carried on, so that who takes an
agreement back is out of the next one. As many shipped examples as own ideas are mixed in, so that the other tasks are
not forgotten; what is held out to measure with is half and half, too. Nothing outside the folders named is written.
"""

from __future__ import annotations

import json
import math
import os
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.edge import told
from bot.language.conversion import Recipe as Conversion
from bot.language.conversion import converted
from knowledge.errors import BadInput
from training import adapter, card
from training.batches import encode
from training.examples import Example, fraction, read, split
from training.loop import Outcome, Recipe, train
from training.tune import HELD_OUT, SHIPPED, base

OWN_HELD_OUT = 0.2
"""Share of the own ideas to hold out: more than of the shipped examples, since a few ideas measure little."""
MOST_CHECKED = 40
"""Held-out own ideas to measure on, at most; as many shipped examples are added."""


def main(
    examples: Annotated[Path, typer.Argument(help="A JSON Lines file with the own ideas.")],
    out: Annotated[Path, typer.Argument(help="Folder for the adapter and training.json.")],
    gguf: Annotated[Path, typer.Option(help="The packaged weights.")],
    sha256: Annotated[str, typer.Option(help="Their SHA-256.")],
    work: Annotated[Path, typer.Option(help="A folder to work in.")],
    go_on_from: Annotated[Path | None, typer.Option(help="The folder of the adapter to start with.")] = None,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-4,
    epochs: Annotated[float, typer.Option(min=0.01)] = 2.0,
    tokens: Annotated[int, typer.Option(min=64, help="Tokens in a batch.")] = 576,
    minutes: Annotated[float | None, typer.Option(help="End the schedule after this time.")] = None,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Learn from own ideas and save the adapter with the lowest held-out loss."""
    with told():
        own, shipped = read([examples]), read(sorted(SHIPPED.glob("*.jsonl")))
        model, tokenizer = _model(Conversion(gguf, sha256, sha256), work, device)
        rank, alpha = _shape(go_on_from)
        model = adapter.attach(model, rank, alpha, seed)
        if go_on_from:
            adapter.load(model, go_on_from)
        checks = max(2, round(3 * epochs))
        recipe = Recipe(rank, alpha, rate, epochs=epochs, budget=tokens, checks=checks, minutes=minutes, seed=seed)
        facts = learn(own, shipped, model, tokenizer, recipe, work / "checkpoints", _say)
    adapter.save(model, facts.outcome.best, out)
    (out / "training.json").write_text(card.as_json(facts), encoding="utf-8")


def learn(
    own: Sequence[Example],
    shipped: Sequence[Example],
    model: Any,
    tokenizer: Any,
    recipe: Recipe,
    checkpoints: Path,
    report: Callable[[str], None],
) -> card.Facts:
    """Train `model`, which has an adapter; the outcome's weights are those with the lowest held-out loss.

    Raises `BadInput` when all own ideas are for one brief.
    """
    draw = random.Random(recipe.seed)
    ours, ours_held = hold_out(own, OWN_HELD_OUT, recipe.seed)
    theirs, theirs_held = split(shipped, HELD_OUT, seed=0)  # as the shipped adapter was trained: it knows none of them
    ours_held = draw.sample(ours_held, min(MOST_CHECKED, len(ours_held)))
    learned = [*ours, *_of_all_tasks(theirs, min(len(ours), len(theirs)), draw)]
    held = [*ours_held, *draw.sample(theirs_held, min(len(ours_held), len(theirs_held)))]
    report(f"{len(learned)} examples to learn from, {len(ours)} of them own; {len(held)} held out")
    encoded, checked = ([encode(example, tokenizer) for example in part] for part in (learned, held))
    outcome: Outcome = train(model, encoded, checked, recipe, checkpoints, report)
    return card.Facts(recipe, outcome, len(learned), len(held), ["own ideas", "shipped examples"])


def _of_all_tasks(examples: Sequence[Example], count: int, draw: random.Random) -> list[Example]:
    """`count` of the examples, a third of them no brainstorms, which else would be nearly all."""
    brainstorms = [example for example in examples if example.task == "brainstorm"]
    others = [example for example in examples if example.task != "brainstorm"]
    rest = min(len(others), max(count // 3, count - len(brainstorms)))
    return [*draw.sample(brainstorms, count - rest), *draw.sample(others, rest)]


def hold_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(training, held-out): whole briefs, at least one on each side, and together about `share` of the examples.

    A hash puts the briefs in order. One that would make what is held out more than twice its share is passed over,
    unless there is no other. Raises `BadInput` when all examples are for one brief.
    """
    briefs: dict[float, list[Example]] = defaultdict(list)
    for example in examples:
        briefs[fraction(example.brief, seed)].append(example)
    if len(briefs) < 2:
        raise BadInput("All ideas are for one brief, and one has to be held out: keep some for another brief.")
    wanted = share * len(examples)
    held: set[float] = set()
    count = 0
    for place in sorted(briefs):
        size = len(briefs[place])
        if count < wanted and count + size <= max(1.0, 2 * wanted):
            held.add(place)
            count += size
    if not held:
        held.add(min(briefs, key=lambda place: (len(briefs[place]), place)))
    sides: tuple[list[Example], list[Example]] = ([], [])
    for example in examples:
        sides[fraction(example.brief, seed) in held].append(example)
    return sides


def _model(recipe: Conversion, work: Path, device: str) -> tuple[Any, Any]:
    """The embedded model as it came and its tokenizer; what is converted for it is large, and gone again afterwards."""
    models = work / "models"
    told = -1

    def tell(stage: str, done: float) -> None:
        nonlocal told
        if math.floor(done * 10) > told:
            told = math.floor(done * 10)
            _say(f"{stage} {done:.0%}")

    folder = converted(recipe, models, tell)
    return base(folder, device)


def _shape(folder: Path | None) -> tuple[int, int]:
    """Rank and alpha of an adapter; where there is none, those that the shipped ones have."""
    if folder is None:
        return Recipe().rank, Recipe().alpha
    given = json.loads((folder / adapter.CONFIG).read_text(encoding="utf-8"))
    return given["r"], given["lora_alpha"]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    typer.run(main)
