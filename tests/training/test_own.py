"""Learning from a team's own ideas: what is held out, and that other tasks are learned beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language.base import Message
from knowledge.errors import BadInput
from tests.training.test_loop import RECIPE, tiny
from training.examples import Example, split
from training.own import hold_out, learn

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def example(brief: str, task: str = "brainstorm") -> Example:
    return Example(task, brief, (Message("user", brief),), f"{brief} answered")


class Tokenizer:
    """One of 40 tokens for each letter."""

    def apply_chat_template(self, turns: list[dict[str, str]], **_: Any) -> str:
        return turns[-1]["content"]

    def __call__(self, text: str, **_: Any) -> Any:
        return type("Ids", (), {"input_ids": [ord(letter) % 40 for letter in text]})


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(0, 5))
def test_whole_briefs_are_held_out_and_something_is_on_each_side(briefs: list[str], seed: int) -> None:
    examples = [example(brief) for brief in briefs]
    if len(set(briefs)) < 2:
        with pytest.raises(BadInput, match="one brief"):
            hold_out(examples, 0.2, seed)
        return
    learned, held = hold_out(examples, 0.2, seed)
    assert learned and held and sorted(e.brief for e in [*learned, *held]) == sorted(briefs)
    assert not {e.brief for e in learned} & {e.brief for e in held}
    assert len(held) <= max(1, 0.4 * len(briefs)) or len({e.brief for e in held}) == 1
    assert hold_out(examples, 0.2, seed) == (learned, held)


def test_own_ideas_are_learned_and_as_many_shipped_examples_with_them(tmp_path: Path) -> None:
    own = [example(f"our {'abcdef'[n % 6]} brief") for n in range(36)]
    shipped = [example(f"their brief {n}", "twist") for n in range(400)]
    said: list[str] = []
    recipe = replace(RECIPE, budget=160)
    facts = learn(own, shipped, tiny(), Tokenizer(), recipe, tmp_path, said.append)
    ours = len(hold_out(own, 0.2, RECIPE.seed)[0])
    assert facts.learned_from == 2 * ours and facts.held_out == 2 * (36 - ours)
    assert facts.outcome.best_loss < facts.outcome.losses[0][1] - 0.1
    assert any(line.startswith("step 1/") for line in said)


def test_what_the_shipped_adapter_never_learned_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured on what was held out of the shipped examples then, the loss before is honest.

    And of what it did learn, the few examples of the other tasks are not drowned in brainstorms.
    """
    seen: dict[str, list[Example]] = {"learned": [], "held": []}
    shipped = [example(f"their brief {n}", "brainstorm" if n % 10 else "chat") for n in range(400)]
    own = [example(f"our {n % 6} brief") for n in range(36)]

    class Stop(Exception):
        pass

    def train(_model: Any, learned: list[Example], held: list[Example], *_: Any) -> None:
        seen.update(learned=learned, held=held)
        raise Stop

    monkeypatch.setattr("training.own.train", train)
    monkeypatch.setattr("training.own.encode", lambda one, _tokenizer: one)
    with pytest.raises(Stop):
        learn(own, shipped, None, None, RECIPE, tmp_path, lambda _: None)
    known, unknown = split(shipped, 0.05, 0)
    assert not set(map(id, seen["learned"])) & set(map(id, unknown))
    assert not set(map(id, seen["held"])) & set(map(id, known))
    mixed_in = [one.task for one in seen["learned"] if one.brief.startswith("their")]
    assert mixed_in.count("chat") == len(mixed_in) // 3
