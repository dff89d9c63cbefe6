"""The training loop: loss on answers only, cosine schedule, held-out checks, early stopping, checkpoints to resume.

It knows batches and a model that peft has wrapped; it knows no examples, files of ideas or command line.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.language.loading import compute_dtype
from training import adapter, parallel
from training.batches import Batch, Encoded, collate, plan

if TYPE_CHECKING:
    import torch

PAD = 0
"""Any token will do: nothing looks at padding."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. `budget` is tokens a batch; `minutes` ends the schedule early when the clock says so."""

    rank: int = 16
    alpha: int = 32
    rate: float = 8e-4
    warm_up: float = 0.06
    floor: float = 0.05
    epochs: float = 1.0
    budget: int = 768
    clip: float = 1.0
    weight_decay: float = 0.01
    checks: int = 4
    patience: int = 2
    minutes: float | None = None
    seed: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of it: held-out loss in nats a token by step, and the weights at the best of these."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0

    @property
    def best_loss(self) -> float:
        """The lowest held-out loss, which is that of the weights kept: the first ones, if none came out better."""
        return min(loss for _, loss in self.losses)


def rate_at(progress: float, recipe: Recipe) -> float:
    """The learning rate at `progress` in [0, 1]: linear warm-up, then half a cosine down to `floor` of the peak."""
    if progress < recipe.warm_up:
        return recipe.rate * max(progress / recipe.warm_up, 0.01)
    way = min(1.0, (progress - recipe.warm_up) / (1 - recipe.warm_up))
    return recipe.rate * (recipe.floor + (1 - recipe.floor) * (1 + math.cos(math.pi * way)) / 2)


def schedule(items: Sequence[Encoded], recipe: Recipe, workers: int = 1) -> list[list[list[int]]]:
    """All steps of all epochs; a step is one batch of indices for each worker.

    The same for the same recipe, so that a resumed run goes on where it was.
    """
    lengths = [len(item.ids) for item in items]
    batches: list[list[int]] = []
    for epoch in range(math.ceil(recipe.epochs)):
        batches += plan(lengths, recipe.budget, recipe.seed + epoch)
    batches = batches[: max(workers, round(len(batches) * recipe.epochs / math.ceil(recipe.epochs)))]
    return [batches[first : first + workers] for first in range(0, len(batches) - workers + 1, workers)]


def products(device: torch.device) -> torch.autocast:
    """Multiply in bf16 where the hardware does: a GPU an order of magnitude faster, a CPU twice as fast. The weights
    that are trained stay float32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=compute_dtype(device) == torch.bfloat16)


def answer_loss(model: Any, batch: Batch) -> Any:
    """Summed cross-entropy of the answer tokens, in nats. The output layer runs on these places alone: it is a fifth
    of the model's work, and prompts need none of it."""
    import torch

    device = next(model.parameters()).device
    causal = model.get_base_model()
    with products(device):
        hidden = causal.model(input_ids=batch.ids.to(device), use_cache=False).last_hidden_state
        logits = causal.lm_head(hidden[batch.rows.to(device), batch.columns.to(device)])
    return torch.nn.functional.cross_entropy(logits.float(), batch.targets.to(device), reduction="sum")


def held_out_loss(model: Any, items: Sequence[Encoded], budget: int) -> float:
    """Mean loss over all answer tokens of `items`, in nats a token; the workers share the work."""
    import torch

    model.eval()
    summed, count = 0.0, 0
    mine = items[parallel.rank() :: parallel.size()]
    with torch.inference_mode():
        for indices in plan([len(item.ids) for item in mine], budget, seed=0):
            batch = collate([mine[index] for index in indices], PAD)
            summed += float(answer_loss(model, batch))
            count += len(batch.targets)
    model.train()
    summed_all, count_all = parallel.total(summed, count)
    return summed_all / max(1.0, count_all)


def train(
    model: Any,
    training: Sequence[Encoded],
    held_out: Sequence[Encoded],
    recipe: Recipe,
    checkpoints: Path,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Train the adapter; resumes from `checkpoints` when a run with the same recipe was cut off there.

    The outcome's weights are those with the lowest held-out loss, not the last.
    """
    import torch

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=recipe.rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98))
    steps = schedule(training, recipe, parallel.size())
    every = max(1, math.ceil(len(steps) / recipe.checks))
    outcome, first = _resume(model, optimizer, recipe, checkpoints)
    if not outcome.losses:
        outcome.losses.append((0, held_out_loss(model, held_out, recipe.budget)))
        outcome.best = adapter.weights(model)
        report(f"held-out loss before training: {outcome.losses[0][1]:.4f}")
    before, worse = (outcome.tokens, outcome.seconds), 0
    clock, recent = time.monotonic(), deque[float](maxlen=20)
    for step, batches in enumerate(steps[first:], start=first + 1):
        batch = collate([training[index] for index in batches[parallel.rank()]], PAD)
        loss = answer_loss(model, batch) / len(batch.targets)
        loss.backward()
        parallel.average_gradients(trainable)
        spent, tokens, mean = parallel.total(time.monotonic() - clock, batch.ids.numel(), float(loss))
        outcome.seconds = before[1] + spent / parallel.size()
        outcome.tokens += int(tokens)
        progress = max(step / len(steps), outcome.seconds / 60 / recipe.minutes if recipe.minutes else 0.0)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(progress, recipe)
        torch.nn.utils.clip_grad_norm_(trainable, recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        recent.append(mean / parallel.size())
        speed = (outcome.tokens - before[0]) / (outcome.seconds - before[1])
        left = (outcome.seconds - before[1]) / (step - first) * (len(steps) - step)
        report(
            f"step {step}/{len(steps)}  loss {sum(recent) / len(recent):.3f}  rate {rate_at(progress, recipe):.1e}  "
            f"{speed:.0f} tokens/s  {left / 60:.0f} min left"
        )
        over = progress >= 1.0
        if step % every == 0 or over:
            measured = held_out_loss(model, held_out, recipe.budget)
            report(f"held-out loss at step {step}: {measured:.4f}")
            worse = 0 if measured < min(loss for _, loss in outcome.losses) else worse + 1
            outcome.losses.append((step, measured))
            if worse == 0:
                outcome.best = adapter.weights(model)
        if parallel.rank() == 0 and (step % 20 == 0 or step % every == 0 or over):
            _keep(model, optimizer, recipe, checkpoints, step, outcome)
        if over or worse > recipe.patience:
            break
    return outcome


def _keep(model: Any, optimizer: Any, recipe: Recipe, folder: Path, step: int, outcome: Outcome) -> None:
    """Write all that a resumed run needs, atomically."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "recipe": recipe,
        "step": step,
        "adapter": adapter.weights(model),
        "optimizer": optimizer.state_dict(),
        "outcome": outcome,
    }
    torch.save(state, folder / "last.tmp")
    (folder / "last.tmp").replace(folder / "last.pt")


def _resume(model: Any, optimizer: Any, recipe: Recipe, folder: Path) -> tuple[Outcome, int]:
    """The outcome so far and the steps done, from a checkpoint of the same recipe; a fresh start otherwise."""
    import torch

    path = folder / "last.pt"
    if not path.exists():
        return Outcome(), 0
    state = torch.load(path, weights_only=False)  # our own file, written by `_keep`
    if state["recipe"] != recipe:
        return Outcome(), 0
    adapter.restore(model, state["adapter"])
    optimizer.load_state_dict(state["optimizer"])
    return state["outcome"], state["step"]
