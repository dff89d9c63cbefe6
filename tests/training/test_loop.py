"""The loop on a model of a few thousand weights: what is learned and counted, and that a cut loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import adapter, card
from training.batches import Encoded, collate, encode, plan
from training.examples import Example
from training.loop import Outcome, Recipe, answer_loss, held_out_loss, rate_at, schedule, train

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
RECIPE = Recipe(rank=2, alpha=4, rate=0.02, epochs=3, budget=24, checks=3)


def tiny(seed: int = 0) -> Any:
    """A Llama of two thin layers with a fresh adapter."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    return adapter.attach(LlamaForCausalLM(config), RECIPE.rank, RECIPE.alpha, seed)


ITEMS = [Encoded((1, 2, 3 + n % 5, 10 + n % 5, 20, 21), 3) for n in range(20)]
HELD = [Encoded((1, 2, 3 + n, 10 + n, 20, 21), 3) for n in range(5)]


@given(st.lists(st.integers(1, 50), max_size=80), st.integers(10, 120), st.integers(0, 3))
def test_a_plan_holds_every_item_once_and_no_batch_is_over_budget(lengths: list[int], budget: int, seed: int) -> None:
    batches = plan(lengths, budget, seed)
    assert sorted(item for batch in batches for item in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget for batch in batches)
    assert batches == plan(lengths, budget, seed)


@given(st.floats(0, 2))
def test_the_rate_stays_between_nothing_and_its_peak(progress: float) -> None:
    assert 0 < rate_at(progress, RECIPE) <= RECIPE.rate
    assert rate_at(RECIPE.warm_up, RECIPE) == pytest.approx(RECIPE.rate)
    assert rate_at(1, RECIPE) == pytest.approx(RECIPE.rate * RECIPE.floor)


def test_workers_share_the_steps() -> None:
    steps = schedule(ITEMS, RECIPE, workers=2)
    assert all(len(step) == 2 for step in steps)
    single = [step[0] for step in schedule(ITEMS, RECIPE)]
    assert [batch for step in steps for batch in step] == single[: 2 * len(steps)]


def test_the_loss_is_that_of_the_answers_alone_whatever_the_padding() -> None:
    model = tiny().eval()
    items = [ITEMS[0], Encoded((5, 6, 7), 2)]
    expected = 0.0
    for item in items:
        logits = model(torch.tensor([item.ids])).logits[0, item.start - 1 : -1]
        wanted = torch.tensor(item.ids[item.start :])
        expected += float(torch.nn.functional.cross_entropy(logits, wanted, reduction="sum"))
    assert float(answer_loss(model, collate(items, pad=0))) == pytest.approx(expected, rel=1e-4)
    assert held_out_loss(model, items, 24) == pytest.approx(expected / 4, rel=1e-4)


def test_an_example_is_encoded_as_run_time_will_ask(tmp_path: Path) -> None:
    class Tokenizer:
        def apply_chat_template(self, turns: list[dict[str, str]], **_: Any) -> str:
            return "".join(f"<{turn['role']}>{turn['content']}" for turn in turns) + "<assistant>"

        def __call__(self, text: str, **_: Any) -> Any:
            return type("Ids", (), {"input_ids": [ord(char) for char in text]})

    encoded = encode(Example("chat", "b", (), "Yes."), Tokenizer())
    assert "".join(map(chr, encoded.ids[: encoded.start])) == "<assistant>"
    assert "".join(map(chr, encoded.ids[encoded.start :])) == "Yes.<|im_end|>"


def test_training_lowers_the_held_out_loss_and_keeps_the_best(tmp_path: Path) -> None:
    model = tiny()
    said: list[str] = []
    outcome = train(model, ITEMS, HELD, RECIPE, tmp_path, said.append)
    before = outcome.losses[0][1]
    assert outcome.best_loss < before - 0.15
    assert any("tokens/s" in line for line in said)
    adapter.restore(model, outcome.best)
    assert held_out_loss(model, HELD, 24) == pytest.approx(outcome.best_loss, abs=1e-4)


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = train(tiny(), ITEMS, HELD, RECIPE, tmp_path / "whole", lambda _: None)

    class Cut(Exception):
        pass

    def cut(line: str) -> None:
        if line.startswith("step 9/"):
            raise Cut

    with pytest.raises(Cut):
        train(tiny(), ITEMS, HELD, RECIPE, tmp_path / "cut", cut)
    said: list[str] = []
    resumed = train(tiny(seed=5), ITEMS, HELD, RECIPE, tmp_path / "cut", said.append)
    assert not any(line.startswith("step 1/") for line in said)
    assert dict(resumed.losses) == pytest.approx(dict(whole.losses), abs=1e-5)
    assert resumed.tokens == whole.tokens
    assert all(torch.allclose(resumed.best[name], tensor, atol=1e-5) for name, tensor in whole.best.items())


def test_a_checkpoint_of_another_recipe_is_left_alone(tmp_path: Path) -> None:
    train(tiny(), ITEMS, HELD, RECIPE, tmp_path, lambda _: None)
    other = Recipe(rank=2, alpha=4, rate=0.01, epochs=1, budget=24, checks=1)
    said: list[str] = []
    train(tiny(), ITEMS, HELD, other, tmp_path, said.append)
    assert any(line.startswith("step 1/") for line in said)


def test_training_that_makes_it_worse_gives_back_what_it_began_with(tmp_path: Path) -> None:
    model = tiny()
    began = adapter.weights(model)
    unlearnable = [Encoded((1, 2, 3, 30 + n, 31, 32), 3) for n in range(5)]  # tokens that training makes less likely
    hard = replace(RECIPE, rate=0.1, epochs=10, checks=1)
    outcome = train(model, ITEMS, unlearnable, hard, tmp_path, lambda _: None)
    assert outcome.losses[-1][1] > outcome.losses[0][1]
    assert outcome.best_loss == outcome.losses[0][1]
    assert all(torch.equal(outcome.best[name], tensor) for name, tensor in began.items())


def test_training_stops_when_the_held_out_loss_no_longer_falls(tmp_path: Path) -> None:
    backwards = [Encoded((1, 2, 3, 30 + n, 31, 32), 3) for n in range(5)]  # never among what is learned
    recipe = Recipe(rank=2, alpha=4, rate=0.05, epochs=30, budget=24, checks=60, patience=2)
    outcome = train(tiny(), ITEMS, backwards, recipe, tmp_path, lambda _: None)
    last_step = len(schedule(ITEMS, recipe))
    assert outcome.losses[-1][0] < last_step


def test_a_saved_adapter_merges_into_the_base_as_it_was_trained(tmp_path: Path) -> None:
    from peft import PeftModel

    model = tiny()
    outcome = train(model, ITEMS, HELD, RECIPE, tmp_path / "run", lambda _: None)
    adapter.restore(model, outcome.best)
    adapter.save(model, outcome.best, tmp_path / "adapter")
    again = tiny(seed=7)
    adapter.load(again, tmp_path / "adapter")
    base = tiny().unload()
    merged = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).merge_and_unload().eval()
    ids = torch.tensor([[1, 2, 3, 10]])
    trained = model.eval()(ids).logits
    assert torch.allclose(again.eval()(ids).logits, trained, atol=0.05)
    assert torch.allclose(merged(ids).logits, trained, atol=0.05)


def test_the_facts_of_a_run_name_no_folders() -> None:
    facts = card.Facts(RECIPE, Outcome([(0, 4.0), (9, 2.5)], {}, 900, 60.0), 20, 5, ["ours.jsonl"])
    assert card.summary(facts) == "Held-out loss 4.000 before, 2.500 after: 900 tokens in 1 minutes."
    told = json.loads(card.as_json(facts))
    assert told["held_out_loss"][1] == {"step": 9, "nats_a_token": 2.5}
    assert told["recipe"]["rank"] == 2
