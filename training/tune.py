"""Fine-tune the embedded language model: `python -m training.tune`.

Without options it trains on all files in training/examples and writes the adapter that ships with Kindling. On a CPU
that others use too, start it as `torchrun --nproc-per-node 2 -m training.tune` (see parallel.py). A team's own ideas
are learned from with `kindling tune` (see own.py).
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.edge import told
from bot.language.conversion import Recipe as Conversion
from bot.language.conversion import converted
from bot.language.embedded import ADAPTER, GGUF_SHA256, find_gguf
from bot.language.loading import load_plain
from bot.settings import read_settings
from training import adapter, card, parallel
from training.batches import Encoded, encode
from training.examples import Example, read, split
from training.leakage import dev_briefs, without_leaks
from training.loop import Recipe, train

HERE = Path(__file__).parent
SHIPPED = HERE / "examples"
HELD_OUT = 0.05
"""Share of the briefs of the shipped examples that nothing is learned from."""
DEV_BRIEFS = HERE.parent / "bench" / "briefs_dev.jsonl"


def main(
    examples: Annotated[list[Path] | None, typer.Option(help="JSON Lines files to learn from.")] = None,
    replay: Annotated[list[Path] | None, typer.Option(help="Files to mix in, so that nothing is forgotten.")] = None,
    replay_share: Annotated[float, typer.Option(min=0, max=1, help="How much of the replayed files to mix in.")] = 0.3,
    other_tasks: Annotated[float, typer.Option(min=0, max=1, help="How much of what is no brainstorm to take.")] = 1.0,
    held_out: Annotated[float, typer.Option(min=0.01, max=0.5, help="Share of the briefs to hold out.")] = HELD_OUT,
    checked: Annotated[int, typer.Option(min=1, help="Held-out examples to measure on, at most.")] = 60,
    go_on_from: Annotated[Path | None, typer.Option(help="A folder with an adapter to start with.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")] = ADAPTER,
    checkpoints: Annotated[Path, typer.Option(help="Folder to resume from.")] = Path(".cache/training"),
    dev: Annotated[Path, typer.Option(help="Briefs that no example may be near to.")] = DEV_BRIEFS,
    rank: Annotated[int, typer.Option(min=1)] = 16,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 8e-4,
    epochs: Annotated[float, typer.Option(min=0.01)] = 1.0,
    tokens: Annotated[int, typer.Option(min=64, help="Tokens in a batch.")] = 576,
    checks: Annotated[int, typer.Option(min=1, help="How often to measure the held-out loss.")] = 4,
    minutes: Annotated[float | None, typer.Option(help="End the schedule after this time.")] = None,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Train a LoRA adapter on the embedded model and save the one with the lowest held-out loss."""
    with told(), parallel.joined():
        recipe = Recipe(
            rank=rank,
            alpha=2 * rank,
            rate=rate,
            epochs=epochs,
            budget=tokens,
            checks=checks,
            minutes=minutes,
            seed=seed,
        )
        sources = examples or sorted(SHIPPED.glob("*.jsonl"))
        fresh, leaked = _unleaked(read(sources), dev)
        old, old_leaked = _unleaked(read(replay or []), dev)
        learn, check = split(fresh, held_out, seed)
        again, old_check = split(old, held_out, seed)
        draw = random.Random(seed)
        learn = _thinned(learn, other_tasks, draw) + draw.sample(again, round(len(again) * replay_share))
        check = _thinned([*check, *old_check], other_tasks, draw)
        check = draw.sample(check, min(checked, len(check)))
        parallel.say(
            f"{len(learn)} examples to learn from, {len(check)} held out, "
            f"{len(leaked) + len(old_leaked)} dropped as near a dev brief"
        )
        base_folder = converted(Conversion(find_gguf(), GGUF_SHA256, GGUF_SHA256), read_settings().data_dir / "models")
        model, tokenizer = base(base_folder, device)
        model = adapter.attach(model, recipe.rank, recipe.alpha, seed)
        if go_on_from:
            adapter.load(model, go_on_from)
        outcome = train(
            model, _encoded(learn, tokenizer), _encoded(check, tokenizer), recipe, checkpoints, parallel.say
        )
    if parallel.rank() == 0:
        adapter.save(model, outcome.best, out)
        facts = card.Facts(recipe, outcome, len(learn), len(check), [path.name for path in [*sources, *(replay or [])]])
        (out / "training.json").write_text(card.as_json(facts), encoding="utf-8")
        parallel.say(card.summary(facts) + f" The adapter is in {out}.")


def _unleaked(examples: Sequence[Example], dev: Path) -> tuple[list[Example], list[Example]]:
    from knowledge.embedded import open_embedder

    if not examples or not dev.exists():
        return list(examples), []
    return without_leaks(examples, dev_briefs(dev), open_embedder().embed)


def _thinned(examples: Sequence[Example], share: float, draw: random.Random) -> list[Example]:
    """All brainstorms and a share of the rest."""
    return [example for example in examples if example.task == "brainstorm" or draw.random() < share]


def base(folder: Path, device: str) -> tuple[Any, Any]:
    """The model in a folder, in float32, and its tokenizer."""
    from transformers import AutoTokenizer

    return load_plain(folder, device), AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


def _encoded(examples: Sequence[Example], tokenizer: Any) -> list[Encoded]:
    return [encode(example, tokenizer) for example in examples]


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    typer.run(main)
