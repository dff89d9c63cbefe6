"""Direct preference optimization: teach the tuned model to prefer those of its own ideas that make sense.

    python -m training.prefer

The pairs are the model's own answers to training questions, which readers rated (rated/): of one question, the clearer
one is the better answer and the more muddled one the worse (Rafailov et al. 2023, arXiv 2305.18290). As both are its
own, what tells them apart is what readers saw, and not that somebody else writes otherwise. The loss of the better
answer is mixed in, so that it does not become rarer in itself (Pang et al. 2024, arXiv 2404.19733).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.edge import told
from bot.language.conversion import Recipe as Conversion
from bot.language.conversion import converted
from bot.language.embedded import ADAPTER, GGUF_SHA256, find_gguf
from bot.settings import read_settings
from training import adapter, parallel
from training.batches import plan
from training.examples import fraction
from training.leakage import dev_briefs, without_leaks
from training.loop import PAD, Recipe, products, rate_at
from training.pairs import AnswerBatch, Asked, asked, collate
from training.rated import TASTE, Ranked, Taste, read_rated, told_apart
from training.tune import DEV_BRIEFS, HELD_OUT, base

RATED = Path(__file__).parent / "rated"
NOTES = "preferred.json"
"""Beside an adapter: the rounds that it has been through, how each was run and what it measured."""


@dataclass(frozen=True, slots=True)
class Preference:
    """How to prefer. `beta` is how dearly a step away from the model at the start is paid, `anchor` the weight of the
    better answer's own loss; `recipe` is the rest."""

    recipe: Recipe
    beta: float
    anchor: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Over held-out pairs: the mean loss, the share of pairs in the right order against the model at the start, and the
    better answers' nats a token."""

    step: int
    loss: float
    ordered: float
    nats: float


def main(
    rated: Annotated[list[Path] | None, typer.Option(help="JSON Lines files of rated candidates.")] = None,
    go_on_from: Annotated[Path, typer.Option(help="The adapter that wrote them.")] = ADAPTER,
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")] = ADAPTER,
    borrowed: Annotated[float, typer.Option(help="What a word of the spark is worth.")] = TASTE.borrowed,
    echoed: Annotated[float, typer.Option(help="What it costs to say nothing but the brief.")] = TASTE.echoed,
    mended: Annotated[bool, typer.Option(help="Learn from what was mended, too.")] = True,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-4,
    beta: Annotated[float, typer.Option(min=0.001)] = 0.1,
    anchor: Annotated[float, typer.Option(min=0)] = 0.2,
    tokens: Annotated[int, typer.Option(min=64, help="Tokens in a batch.")] = 1200,
    checks: Annotated[int, typer.Option(min=1, help="How often to measure on held-out pairs.")] = 3,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Train the adapter on one pass over the pairs and save the one with the lowest held-out loss."""
    with told(), parallel.joined():
        given = json.loads((go_on_from / adapter.CONFIG).read_text(encoding="utf-8"))
        recipe = Recipe(rank=given["r"], alpha=given["lora_alpha"], rate=rate, budget=tokens, checks=checks, seed=seed)
        folder = converted(Conversion(find_gguf(), GGUF_SHA256, GGUF_SHA256), read_settings().data_dir / "models")
        model, tokenizer = base(folder, device)
        model = adapter.attach(model, recipe.rank, recipe.alpha, seed)
        adapter.load(model, go_on_from)
        files = rated or sorted(RATED.glob("*.jsonl"))
        taste = Taste(borrowed, echoed)
        ranked = _unleaked(told_apart(read_rated(files, taste), mended=mended))
        learned, checked = ([asked(one, tokenizer) for one in part] for part in _split(ranked))
        pairs, held_out = (sum(len(one.pairs) for one in part) for part in (learned, checked))
        parallel.say(f"{pairs} pairs of {len(learned)} questions to learn from, {held_out} of {len(checked)} held out")
        how = Preference(recipe, beta, anchor)
        best, found = prefer(model, learned, checked, how)
    if parallel.rank() == 0:
        adapter.save(model, best, out)
        learned_from = {"files": [path.name for path in files], **asdict(taste), "mended": mended}
        learned_from |= {"pairs": pairs, "held_out": held_out}
        notes = [*rounds(go_on_from), {**asdict(how), **learned_from, "measured": [asdict(one) for one in found]}]
        (out / NOTES).write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")
        parallel.say(f"Kept step {min(found, key=lambda one: one.loss).step}. The adapter is in {out}.")


def rounds(folder: Path) -> list[dict[str, Any]]:
    """The rounds of preferring that an adapter has been through."""
    path = folder / NOTES
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def _unleaked(questions: Sequence[Ranked]) -> list[Ranked]:
    """The questions but for those whose brief is near a dev brief."""
    from knowledge.embedded import open_embedder

    examples = [question.answers[0] for question in questions]
    kept, _ = without_leaks(examples, dev_briefs(DEV_BRIEFS), open_embedder().embed)
    briefs = {example.brief for example in kept}
    return [question for question in questions if question.brief in briefs]


def _split(questions: Sequence[Ranked]) -> tuple[list[Ranked], ...]:
    """(to learn from, held out): the briefs that training.tune holds out are held out here."""
    held = [fraction(question.brief, 0) < HELD_OUT for question in questions]
    return tuple([one for one, out in zip(questions, held, strict=True) if out is side] for side in (False, True))


def prefer(
    model: Any, training: Sequence[Asked], held_out: Sequence[Asked], how: Preference
) -> tuple[dict[str, Any], list[Measured]]:
    """One pass over the pairs. Returns the weights with the lowest held-out loss, and what was measured."""
    import torch

    recipe = how.recipe
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=recipe.rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    batches = _batches(training, recipe.budget, recipe.seed)
    steps = len(batches) // parallel.size()
    mine = batches[parallel.rank() :: parallel.size()][:steps]
    check = _batches(held_out, recipe.budget, 0)[parallel.rank() :: parallel.size()]
    model.eval()  # an adapter without dropout: the same as in training
    with torch.no_grad():
        at_start = [log_likelihoods(model, batch) for batch in mine]
        check_at_start = [log_likelihoods(model, batch) for batch in check]
    found = [_measured(model, check, check_at_start, how, 0)]
    best = adapter.weights(model)
    parallel.say(_told(found[0]))
    clock = time.monotonic()
    for step, (batch, before) in enumerate(zip(mine, at_start, strict=True), start=1):
        loss, ordered = preference_loss(log_likelihoods(model, batch), before, batch, how)
        loss.backward()
        parallel.average_gradients(trainable)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step / steps, recipe)
        torch.nn.utils.clip_grad_norm_(trainable, recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        left = (time.monotonic() - clock) / step * (steps - step) / 60
        parallel.say(f"step {step}/{steps}  loss {float(loss):.3f}  in order {float(ordered):.2f}  {left:.0f} min left")
        if step % max(1, steps // recipe.checks) == 0 or step == steps:
            found.append(_measured(model, check, check_at_start, how, step))
            parallel.say(_told(found[-1]))
            if found[-1].loss <= min(one.loss for one in found):
                best = adapter.weights(model)
    return best, found


def log_likelihoods(model: Any, batch: AnswerBatch) -> Any:
    """Of each answer of the batch, the sum over its tokens, in nats: (answers,)."""
    import torch

    device = next(model.parameters()).device
    causal = model.get_base_model()
    with products(device):
        hidden = causal.model(
            input_ids=batch.ids.to(device),
            position_ids=batch.positions.to(device),
            attention_mask=batch.mask.to(device),
            use_cache=False,
        ).last_hidden_state
        logits = causal.lm_head(hidden[batch.rows.to(device), batch.columns.to(device)]).float()
    nats = -torch.nn.functional.cross_entropy(logits, batch.targets.to(device), reduction="none")
    return torch.zeros(len(batch.lengths), device=device).index_add(0, batch.owners.to(device), nats)


def preference_loss(now: Any, before: Any, batch: AnswerBatch, how: Preference) -> tuple[Any, Any]:
    """The mean loss of a batch, and the share of pairs in which the better answer gained on the worse."""
    import torch

    gained = now - before
    margin = gained[batch.better] - gained[batch.worse]
    own = -now[batch.better].sum() / batch.lengths[batch.better].sum()
    loss = -torch.nn.functional.logsigmoid(how.beta * margin).mean() + how.anchor * own
    return loss, (margin > 0).float().mean()


def _measured(model: Any, check: Sequence[AnswerBatch], before: Sequence[Any], how: Preference, step: int) -> Measured:
    import torch

    sums = [0.0] * 5
    with torch.no_grad():
        for batch, start in zip(check, before, strict=True):
            now = log_likelihoods(model, batch)
            loss, ordered = preference_loss(now, start, batch, how)
            pairs = len(batch.better)
            nats, tokens = -float(now[batch.better].sum()), int(batch.lengths[batch.better].sum())
            values = (float(loss) * pairs, float(ordered) * pairs, pairs, nats, tokens)
            sums = [old + new for old, new in zip(sums, values, strict=True)]
    loss_sum, ordered_sum, pairs_all, nats_sum, tokens_all = parallel.total(*sums)
    return Measured(step, loss_sum / pairs_all, ordered_sum / pairs_all, nats_sum / tokens_all)


def _batches(questions: Sequence[Asked], budget: int, seed: int) -> list[AnswerBatch]:
    planned = plan([len(one) for one in questions], budget, seed)
    return [collate([questions[index] for index in indices], PAD) for indices in planned]


def _told(one: Measured) -> str:
    return f"held out, step {one.step}: loss {one.loss:.4f}, in order {one.ordered:.2f}, {one.nats:.4f} nats a token"


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    typer.run(main)
