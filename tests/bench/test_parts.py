"""The bench's parts without a model: reading what anchors wrote, the templates, and the table."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from bench.ideas import NAMES, library_texts
from bench.ideation import table
from bench.ideation.anchors import Run, Shelf, asked_directly, asked_for_a_list, asked_with_notes, cleaned, filled_in
from bench.yardstick import Scored, Shown
from bot.ideation.gates import Gate, format_fault
from bot.language.base import Continuation, LanguageModel, Message, Piece


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A lamp that hums when it rains outside the door.", "A lamp that hums when it rains outside the door."),
        ("Title: Hum\nIdea: A lamp hums.\nFirst step: Buy one.", "A lamp hums."),
        ("Sure! Here it is:\n\n**A lamp** that hums when it rains outside.", "A lamp that hums when it rains outside."),
        ("- A lamp that hums when it rains", "A lamp that hums when it rains"),
        ("The Lamp\n\nIt hums when it rains outside the door.", "It hums when it rains outside the door."),
    ],
)  # fmt: skip
def test_answers_are_read_generously_and_never_mended(written: str, read: str) -> None:
    assert cleaned(written) == read


SNIPPETS = [
    "A bell rings. It is old.",
    "The moth folds. It flies.",
    "Salt dries white. It stings.",
    "Ink fades. It does.",
]


class Axes:
    """One axis a known text; others are even."""

    def __call__(self, texts: list[str]) -> np.ndarray:
        rows = [np.eye(5)[SNIPPETS.index(text)] if text in SNIPPETS else np.array([4, 3, 2, 1, 0]) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(SNIPPETS, Axes()(SNIPPETS), Axes())


class Parrot:
    """A model that answers each continuation with the same text and the seed that it was asked with."""

    name = "parrot"

    def __init__(self, text: str) -> None:
        self.text, self.asked = text, list[Continuation]()

    async def stream(self, shared: list[Message], continuations: list[Continuation]) -> AsyncIterator[Piece]:
        self.asked = list(continuations)
        for index, _ in enumerate(continuations):
            yield Piece(index, self.text, "stop", None)

    async def close(self) -> None:
        pass


def parrot(text: str) -> LanguageModel:
    return Parrot(text)


async def test_asking_directly_asks_the_same_with_other_seeds() -> None:
    model = Parrot("A lamp hums.")
    run = await asked_directly(model, "a lamp", seed=1, count=4, temperature=1.3)
    assert [idea.body for idea in run.ideas] == ["A lamp hums."] * 4
    assert {idea.spark for idea in run.ideas} == {None}
    assert len({one.sampling.seed for one in model.asked}) == 4
    assert {one.sampling.temperature for one in model.asked} == {1.3}


async def test_a_list_is_taken_apart() -> None:
    run = await asked_for_a_list(parrot("Here are ten:\n1. A lamp hums.\n2) A bell sulks.\n"), "a lamp", 0, 10)
    assert [idea.body for idea in run.ideas] == ["A lamp hums.", "A bell sulks."]


async def test_with_notes_an_idea_cites_the_nearest_of_three(shelf: Shelf) -> None:
    model = Parrot("The moth folds. It flies.")
    run = await asked_with_notes(model, "a lamp", 0, 2, shelf)
    assert run.offered == SNIPPETS[:3]
    assert [idea.spark for idea in run.ideas] == [SNIPPETS[1]] * 2
    assert all(note in model.asked[0].messages[0].text for note in run.offered)


def test_templates_make_whole_sentences_from_what_is_nearest(shelf: Shelf) -> None:
    run = filled_in("A lamp for a hall.", 0, 1, shelf)
    assert run.ideas[0].spark in SNIPPETS[:3]
    assert format_fault(run.ideas[0].body) is None
    assert "lamp for a hall" in run.ideas[0].body


def scored(*faults: Gate) -> Scored:
    return Scored(dict.fromkeys(faults, "bad"), 1.0, 1.0, 1.0, 3.0, np.array([1, 0], np.float32))


def test_the_table_counts_what_is_missing_as_not_valid() -> None:
    run = Run([Shown("A lamp hums.", "s"), Shown("A bell sulks.", "s")], ["s"], 1.0, 2.0, ["Hum", "Sulk"])
    entry = table.Entry("Kindling", "a lamp", 0, run, [scored(), scored(Gate.GROUNDING)])
    row = table.figures([entry], places=4)
    assert row["valid"] == 0.25
    assert row["valid_without_grounding"] == 0.5
    assert row["gates"]["grounding"] == 0.25
    assert row["ud"] == 1
    assert row["seconds_total"] == (2.0, 2.0)
    assert table.markdown({"Kindling": row}).count("\n") == 2
    told = table.report("Ideas", {"Kindling": row}, [entry])
    assert "| 1 | **Hum.** A lamp hums. | s | all | 1 | 100% | 100% | 100% | 3.0 |" in told
    assert "A bell sulks. | s | grounding: bad |  |" in told
    assert json.loads(json.dumps(table.as_json({"Kindling": row}, [entry])))["sets"][0]["ideas"][0]["valid"]


def test_what_a_model_wrote_cannot_break_the_report() -> None:
    run = Run([Shown("A | b\n<img src=x>", "s")], ["s"])
    told = table.report("Ideas", {}, [table.Entry("Kindling", "a lamp", 0, run, [scored()])])
    assert "| 1 | A \\| b &lt;img src=x> | s |" in told


def test_an_empty_run_is_a_row_of_noughts() -> None:
    row = table.figures([table.Entry("A1", "a lamp", 0, Run([], [], None, 3.0), [])], places=10)
    assert row["ud"] == row["valid"] == row["vendi"] == 0
    assert table.markdown({"A1": row}).endswith("| - | 3.0 / 3.0 |")


def test_the_bench_knows_its_sources() -> None:
    assert len(library_texts()) > 500
    assert {"ours", "a0", "a1", "a2", "a3", "a4"} < set(NAMES)
