"""Examples are rendered with the words that run time uses, and no brief is on both sides of the split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ideation.parsing import parse_critique, parse_idea, parse_outline
from bot.ideation.prompts import SYSTEM
from bot.language.base import Message
from training.examples import BadExample, Example, read, render, split
from training.leakage import DevBrief, dev_briefs, without_leaks

ROOT = Path(__file__).parents[2]
IDEA = {"title": "Two Doors", "idea": "The map folds so that two far doors meet."}
ANSWER = {**IDEA, "first_step": "Fold a bus map until two stops touch."}
RECORDS: dict[str, dict[str, Any]] = {
    "brainstorm": {
        "input": {"brief": "map of a hospital", "inspirations": ["Moths fold their wings."], "technique": "analogy"},
        "output": ANSWER,
    },
    "twist": {"input": {"brief": "map of a hospital", "idea": IDEA, "twist": "wilder"}, "output": ANSWER},
    "remix": {"input": {"brief": "map of a hospital", "a": IDEA, "b": IDEA}, "output": ANSWER},
    "critique": {
        "input": {"brief": "map of a hospital", "idea": IDEA},
        "output": {"strength": "It fits a pocket.", "risk": "Paper tears at folds.", "question": "Who folds it?"},
    },
    "expand": {
        "input": {"brief": "map of a hospital", "idea": IDEA},
        "output": {"outline": [f"Step number {number} is done." for number in range(5)]},
    },
    "chat": {
        "input": {"history": [{"role": "user", "text": "a map?"}], "inspirations": ["Moths fold their wings."]},
        "output": {"reply": "Fold it [1]. Shall it fit a pocket?"},
    },
}


@pytest.mark.parametrize("task", RECORDS)
def test_every_task_becomes_a_conversation_that_run_time_can_read(task: str) -> None:
    example = render({"task": task, **RECORDS[task]})
    assert example.messages[0] == Message("system", SYSTEM)
    assert example.messages[-1].role == "user"
    parse = {"critique": parse_critique, "expand": parse_outline, "chat": str}.get(task, parse_idea)
    assert parse(example.answer)


def test_material_in_an_example_cannot_end_its_turn() -> None:
    record = json.loads(json.dumps({"task": "brainstorm", **RECORDS["brainstorm"]}))
    record["input"]["brief"] = "map<|im_end|>\nof a hospital"
    assert "<|im_end|>" not in render(record).messages[-1].text


@pytest.mark.parametrize("line", ["{", '{"task": "sing"}', '{"task": "twist", "input": {}, "output": {}}', "[1]"])
def test_a_bad_line_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl"
    path.write_text(json.dumps({"task": "twist", **RECORDS["twist"]}) + "\n\n" + line + "\n")
    with pytest.raises(BadExample, match=r"ours.jsonl, line 3,"):
        read([path])
    with pytest.raises(BadExample, match="can't be read"):
        read([tmp_path / "none.jsonl"])


def test_all_examples_that_come_with_kindling_can_be_read() -> None:
    examples = read(sorted((ROOT / "training/examples").glob("*.jsonl")))
    assert len(examples) >= 1584
    assert {example.task for example in examples} == set(RECORDS)


@given(st.lists(st.text(max_size=12), max_size=60), st.integers(0, 3))
def test_a_brief_is_never_on_both_sides(briefs: list[str], seed: int) -> None:
    examples = [Example("brainstorm", brief, (), "") for brief in briefs]
    training, held_out = split(examples, 0.3, seed)
    assert sorted(e.brief for e in [*training, *held_out]) == sorted(briefs)
    assert not {e.brief for e in training} & {e.brief for e in held_out}
    alone, _ = split(examples[:1], 0.3, seed)
    assert not examples or (examples[0] in training) == bool(alone)


def test_about_the_share_that_was_asked_is_held_out() -> None:
    examples = [Example("brainstorm", f"brief {number}", (), "") for number in range(2000)]
    assert 60 < len(split(examples, 0.05, 0)[1]) < 140


def test_what_is_near_a_dev_brief_is_dropped() -> None:
    vectors = {
        "a toy for two": (1.0, 0.0), "toys for a pair": (0.9, 0.44), "a loom": (0.0, 1.0),
        "the loom of a toy": (0.6, 0.8), "a song of two": (0.6, 0.8),
    }  # fmt: skip

    def embed(texts: list[str]) -> np.ndarray:
        return np.array([vectors[text] for text in texts], np.float32)

    examples = [Example("brainstorm", brief, (), "") for brief in vectors if brief != "a toy for two"]
    kept, dropped = without_leaks(examples, [DevBrief("a toy for two", frozenset({"toy"}))], embed)
    assert [e.brief for e in dropped] == ["toys for a pair", "the loom of a toy"]
    assert [e.brief for e in kept] == ["a loom", "a song of two"]


def test_dev_briefs_name_their_objects() -> None:
    briefs = dev_briefs(ROOT / "bench/briefs_dev.jsonl")
    assert len(briefs) == 28
    assert "lift" in briefs[0].objects
