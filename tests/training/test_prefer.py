"""Preferring: the clearer answer is the better one, answers are read apart, and the better gain on the worse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from bot.language.embedded import ADAPTER
from tests.training.test_loop import RECIPE, tiny
from training import adapter
from training.adapter import CONFIG, WEIGHTS
from training.batches import Encoded
from training.batches import collate as alone_together
from training.blend import main
from training.examples import BadExample
from training.loop import answer_loss
from training.pairs import Asked, collate
from training.prefer import NOTES, Preference, log_likelihoods, prefer, rounds
from training.rated import Taste, read_rated, told_apart

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

ROOT = Path(__file__).parents[2]
TOKENS = st.lists(st.integers(1, 39), min_size=1, max_size=8).map(tuple)
QUESTIONS = st.builds(Asked, TOKENS, st.lists(TOKENS, min_size=2, max_size=4).map(tuple), st.just(((1, 0),)))


@given(st.lists(QUESTIONS, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_answers_to_one_question_are_as_likely_as_each_by_itself(questions: list[Asked]) -> None:
    model = tiny().eval()
    with torch.no_grad():
        together = log_likelihoods(model, collate(questions, pad=0)).tolist()
        alone = [
            -float(answer_loss(model, alone_together([Encoded((*one.question, *answer), len(one.question))], pad=0)))
            for one in questions
            for answer in one.answers
        ]
    assert together == pytest.approx(alone, rel=1e-4, abs=1e-4)


def question(first: int, other: int) -> Asked:
    answers = ((30, 10 + other, 21), (10 + other, 20, 21), (31, 10 + other, 22))
    return Asked((1, 2, first), answers, ((1, 0), (1, 2)))


def test_better_answers_gain_on_worse_ones() -> None:
    asked, held = [question(3 + n % 5, n % 5) for n in range(40)], [question(3 + n, n) for n in range(5)]
    model = tiny()
    how = Preference(replace(RECIPE, budget=72, checks=2), beta=0.1, anchor=0.2)
    best, found = prefer(model, asked, held, how)
    assert found[0].ordered == 0 and found[0].loss == pytest.approx(0.693 + 0.2 * found[0].nats, abs=1e-3)
    assert found[-1].ordered == 1 and found[-1].loss < found[0].loss and found[-1].nats < found[0].nats
    adapter.restore(model, best)
    with torch.no_grad():
        worse, better, worst = log_likelihoods(model, collate(held[:1], pad=0)).tolist()
    assert better > max(worse, worst)


QUESTION = {"brief": "map of a hospital", "spark": "Moths fold their wings.", "technique": "analogy"}
CLEAR = "The map of the hospital folds like the wings of moths so that two far doors of it meet."
SPARKLESS = "The map of the hospital shows each visitor the shortest way to the bed of an old friend."
SHORT = "The map folds like wings."
FRAMED = "In the hospital the map folds like the wings of moths so that two far doors of it meet."


def answers(*rated: tuple[str, float]) -> str:
    return json.dumps({**QUESTION, "answers": [{"title": "T", "idea": idea, "sense": sense} for idea, sense in rated]})


def test_the_clearer_answer_is_the_better_unless_it_leaves_the_spark_out(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    lines = [answers((SPARKLESS, 3), (CLEAR, 3), (SHORT, 3), (FRAMED, 3)), answers((CLEAR, 1), (SPARKLESS, 3.5))]
    path.write_text("\n".join(lines))
    first, second = read_rated([path], Taste(borrowed=0, echoed=0))
    assert [one.worth for one in first] == [1.5, 3, 2, 2.75]
    (ranked,) = told_apart([first])
    assert ranked.pairs == ((1, 0), (1, 2), (3, 0), (3, 2)) and ranked.brief == "map of a hospital"
    assert [answer.answer.splitlines()[1] for answer in ranked.answers[:2]] == [f"Idea: {SPARKLESS}", f"Idea: {CLEAR}"]
    assert told_apart([second])[0].pairs == ((1, 0),)
    assert told_apart([first], apart=2) == []


def test_a_mended_idea_is_better_than_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    given = {"title": "T", "sense": 2}
    mended = [{**given, "idea": SPARKLESS}, {**given, "idea": FRAMED, "mended": CLEAR}]
    path.write_text(json.dumps({**QUESTION, "answers": mended}))
    questions = read_rated([path], Taste(borrowed=0, echoed=0))
    (ranked,) = told_apart(questions)
    assert ranked.pairs == ((1, 0), (2, 1)) and f"Idea: {CLEAR}\n" in ranked.answers[2].answer
    assert told_apart(questions, mended=False)[0].pairs == ((1, 0),)


def test_what_takes_more_from_the_spark_and_less_from_the_brief_is_worth_more(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    echo = "The hospital prints a map of the hospital for every guest, and one moth is on each map of it."
    path.write_text(answers((echo, 3), (CLEAR, 3)))
    assert [one.worth for one in read_rated([path], Taste(0, 0))[0]] == [3, 3]
    (alike, apart) = read_rated([path])[0]
    assert alike.worth + 0.5 < apart.worth


def test_a_bad_line_of_ratings_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    path.write_text(answers((CLEAR, 3)) + '\n{"brief": "map"}\n')
    with pytest.raises(BadExample, match=r"rated.jsonl, line 2,"):
        read_rated([path])


def test_the_ratings_that_come_with_kindling_tell_answers_apart() -> None:
    ranked = told_apart(read_rated(sorted((ROOT / "training/rated").glob("*.jsonl"))))
    assert sum(len(one.pairs) for one in ranked) > 1000
    assert all(answer.messages == one.answers[0].messages for one in ranked for answer in one.answers)


def adapter_in(folder: Path, value: float, shape: tuple[int, ...] = (2, 2)) -> Path:
    folder.mkdir()
    save_file({"a": torch.full(shape, value, dtype=torch.bfloat16)}, folder / WEIGHTS)
    (folder / CONFIG).write_text("{}")
    (folder / NOTES).write_text(json.dumps([{"pairs": value}]))
    return folder


def test_a_blend_lies_halfway_and_tells_what_it_is_of(tmp_path: Path) -> None:
    clear, apart = adapter_in(tmp_path / "clear", 1), adapter_in(tmp_path / "apart", 3)
    main([clear, apart], out=tmp_path / "out")
    (mixed,) = load_file(tmp_path / "out" / WEIGHTS).values()
    assert mixed.dtype == torch.bfloat16 and mixed.tolist() == [[2, 2], [2, 2]]
    assert rounds(tmp_path / "out") == [{"average_of": {"clear": [{"pairs": 1}], "apart": [{"pairs": 3}]}}]
    assert (tmp_path / "out" / CONFIG).read_text() == "{}"


def test_only_adapters_of_one_shape_are_averaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, large = adapter_in(tmp_path / "small", 1), adapter_in(tmp_path / "large", 1, (3, 3))
    for folders, told in (([small, large], "one shape"), ([small, tmp_path / "none"], "no adapter in")):
        with pytest.raises(typer.Exit):
            main(folders, out=tmp_path / "out")
        assert told in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_shipped_adapter_tells_what_it_is_of() -> None:
    (blend,) = rounds(ADAPTER)
    assert [found[-1]["files"] for found in blend["average_of"].values()] == [
        ["second.jsonl"],
        ["second.jsonl", "third.jsonl"],
    ]
