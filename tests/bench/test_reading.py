"""The blind reading, through its commands: make the sheet, rate it, tell what the ratings come to."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.ideation import reading
from bench.ideation.handwritten import hand_written
from bench.reading import app

SOURCES = {"Kindling": "lamp", "A0 asked directly": "bell", "A3 three snippets pasted": "salt", "A4": "ink"}
BRIEFS = list(dict.fromkeys(one.brief for one in hand_written()))


def run(*words: object, typed: str = "") -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], input=typed)


@pytest.fixture
def ideas(tmp_path: Path) -> Path:
    """What the ideas bench writes of eight briefs, ten ideas a system."""
    sets = [
        {"system": system, "brief": brief, "ideas": [{"body": f"A {noun} hums {n} times."} for n in range(10)]}
        for brief in BRIEFS[:8]
        for system, noun in SOURCES.items()
    ]
    path = tmp_path / "ideas.json"
    path.write_text(json.dumps({"sets": sets}))
    return path


@pytest.fixture
def folder(ideas: Path, tmp_path: Path) -> Path:
    assert run("make", ideas, tmp_path / "reading").exit_code == 0
    return tmp_path / "reading"


def test_the_sheet_is_the_protocols_mixture_without_labels(folder: Path) -> None:
    key = reading.read_key(folder)
    assert [sum(item.source == source for item in key) for source in [*SOURCES, "people"]] == [60, 20, 20, 0, 20]
    sheet = (folder / "sheet.md").read_text()
    beside = sheet
    for text in {text for item in key for text in (item.brief, item.idea)}:
        beside = beside.replace(text, "")
    assert not any(source in beside for source in [*SOURCES, "people", "Kindling"])
    with (folder / "sheet.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["brief"], row["idea"]) for row in rows] == [(item.brief, item.idea) for item in key]
    assert {row["rating"] for row in rows} == {""}
    assert sheet.count("\n") >= len(key)
    first = [item.source for item in key[:60]]
    assert len(set(first)) == 4, "shuffled"


def test_people_answer_the_same_briefs_so_that_no_brief_tells_the_source(folder: Path) -> None:
    key = reading.read_key(folder)
    assert {item.brief for item in key if item.source == "people"} <= set(BRIEFS[:8])


def test_too_few_ideas_are_read_and_said_to_be_too_few(ideas: Path, tmp_path: Path) -> None:
    sets = [one for one in json.loads(ideas.read_text())["sets"] if one["system"] == "Kindling"][:1]
    ideas.write_text(json.dumps({"sets": sets}))
    made = run("make", ideas, tmp_path / "small")
    assert made.exit_code == 0
    assert "13 ideas to rate" in made.output
    assert "Kindling: 10 of 60; A0 asked directly: 0 of 20" in made.output


def test_a_reading_is_never_written_over(ideas: Path, folder: Path) -> None:
    before = (folder / "key.json").read_bytes()
    made = run("make", ideas, folder, "--seed", 2)
    assert made.exit_code == 1
    assert "holds a reading already" in made.output
    assert (folder / "key.json").read_bytes() == before


def test_typed_ratings_are_kept_and_go_on_where_they_stopped(folder: Path) -> None:
    stopped = run("rate", folder, "anna", typed="3\nfive\n1\nb\n2\nq\n")
    assert stopped.exit_code == 0
    assert "0, 1, 2 or 3, b or q." in stopped.output
    assert "2 of 120 rated" in stopped.output
    assert reading.read_ratings(folder / "anna.csv", 120, whole=False) == {1: 3, 2: 2}
    on = run("rate", folder, "anna", typed="0\n")  # then the input ends, as when a terminal is closed
    assert "3 of 120" in on.output
    assert reading.read_ratings(folder / "anna.csv", 120, whole=False) == {1: 3, 2: 2, 3: 0}
    assert "All 120 are rated" in run("rate", folder, "anna", typed="2\n" * 117).output


def filled(folder: Path, name: str, rated: dict[str, int], delimiter: str = ",") -> Path:
    """The sheet's table with a rating for each source, as a spreadsheet writes it."""
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(["number", "brief", "idea", "rating"])
        for number, item in enumerate(reading.read_key(folder), start=1):
            rows.writerow([number, item.brief, item.idea, rated[item.source]])
    return path


RATED = {"Kindling": 2, "A0 asked directly": 0, "A3 three snippets pasted": 1, "people": 3}


def test_tell_gives_shares_means_and_agreement_by_source(folder: Path, tmp_path: Path) -> None:
    filled(folder, "anna", RATED)
    filled(folder, "ben", {**RATED, "Kindling": 1}, delimiter=";")
    told = run("tell", folder, "anna.csv", "ben.csv", "--report", tmp_path / "sense.md")
    assert told.exit_code == 0, told.output
    assert "| Kindling | 60 | 50% | 100% | 0% | 1.50 |" in told.output
    assert "| A3 three snippets pasted | 20 | 0% | 0% | 0% | 1.00 |" in told.output
    assert "| people | 20 | 100% | 100% | 100% | 3.00 |" in told.output
    assert "50% of the ideas the same rating" in told.output
    report = (tmp_path / "sense.md").read_text()
    assert all(item.idea in report and item.brief in report for item in reading.read_key(folder))
    assert "| 2, 1 |" in report


def test_agreement_is_one_for_the_same_ratings_and_weighs_how_far_they_are_apart() -> None:
    items = [reading.Item("Kindling", "a lamp", "A lamp hums.")] * 6
    ratings = [0, 1, 2, 3, 1, 2]
    kappas = [
        float(reading.result(items, ratings, other).rpartition("kappa: ")[2])
        for other in (ratings, [1, 1, 2, 3, 1, 2], [3, 1, 2, 3, 1, 2])
    ]
    # By hand, 1 - the mean squared difference over what chance gives: 1 - (1/6) / 1.5, then 1 - 1.5 / 1.833
    assert kappas == [1.0, 0.89, 0.18]
    assert "No weighted kappa" in reading.result(items, [2] * 6, [2] * 6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("idea,rating\n1,2\n", "columns 'number' and 'rating'"),
        ("number,rating\n1,4\n", "line 2: wanted 1 to 120 and a rating 0 to 3"),
        ("number,rating\n121,2\n", "line 2"),
        ("number,rating\n1,2\n1,3\n", "idea 1 is rated twice"),
        ("number,rating\n1,2\n3,\n", "119 of 120 ideas have no rating: 2, 3, 4"),
        ("", "columns"),
    ],
)  # fmt: skip
def test_faulty_ratings_are_told_in_one_line(text: str, said: str, folder: Path) -> None:
    filled(folder, "anna", RATED)
    (folder / "ben.csv").write_text(text)
    told = run("tell", folder, "anna.csv", "ben.csv")
    assert told.exit_code == 1
    assert said in told.output
    assert told.output.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("make", "{folder}/none.json", "{folder}/new"), "is not what bench/ideas.py --json writes"),
        (("make", "{folder}/key.json", "{folder}/new"), "is not what bench/ideas.py --json writes"),
        (("rate", "{folder}/new", "anna"), "holds no reading"),
        (("rate", "{folder}", "../anna"), "a reader's name in letters"),
        (("rate", "{folder}", "sheet"), "a reader's name in letters"),
        (("tell", "{folder}", "anna.csv", "none.csv"), "can't be read"),
    ],
)  # fmt: skip
def test_a_wrong_path_is_told_in_one_line(words: tuple[str, ...], said: str, folder: Path) -> None:
    filled(folder, "anna", RATED)
    told = run(*[word.format(folder=folder) for word in words])
    assert told.exit_code == 1
    assert said in told.output
