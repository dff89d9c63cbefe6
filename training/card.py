"""What to say of a training run: for people in one line, for the model card and later runs as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from training.loop import Outcome, Recipe


@dataclass(frozen=True, slots=True)
class Facts:
    """What went in and what came out. `files` are names, without folders: paths are nobody's business."""

    recipe: Recipe
    outcome: Outcome
    learned_from: int
    held_out: int
    files: Sequence[str]


def summary(facts: Facts) -> str:
    """One line: losses, tokens, minutes."""
    (_, before), outcome = facts.outcome.losses[0], facts.outcome
    return (
        f"Held-out loss {before:.3f} before, {outcome.best_loss:.3f} after: {outcome.tokens:,} tokens in "
        f"{outcome.seconds / 60:.0f} minutes."
    )


def as_json(facts: Facts) -> str:
    """Everything but the weights, as JSON."""
    return json.dumps(
        {
            "recipe": asdict(facts.recipe),
            "held_out_loss": [{"step": step, "nats_a_token": round(loss, 4)} for step, loss in facts.outcome.losses],
            "learned_from": facts.learned_from,
            "held_out": facts.held_out,
            "files": list(facts.files),
            "tokens": facts.outcome.tokens,
            "minutes": round(facts.outcome.seconds / 60, 1),
        },
        indent=2,
    )
