"""Sense, read blind: which ideas are read, the sheet without labels, two readers' ratings, and what they come to.

Knows neither models nor the terminal: bench/reading.py is the face.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench.ideation.handwritten import HandWritten
from knowledge.errors import BadInput

SHARES = {"Kindling": 60, "A0 asked directly": 20, "A3 three snippets pasted": 20}
BY_PEOPLE = "people"
PEOPLE = 20
SCALE = {0: "muddled", 1: "one can guess what is meant", 2: "clear", 3: "clear and one would try it"}
KEY, SHEET, TEMPLATE = "key.json", "sheet.md", "sheet.csv"


@dataclass(frozen=True, slots=True)
class Item:
    """One idea to read, with the brief that it answers and, in the key alone, where it comes from."""

    source: str
    brief: str
    idea: str


def drawn(measured: Mapping[str, Any], by_people: Sequence[HandWritten], seed: int = 0) -> list[Item]:
    """The protocol's mixture, shuffled: 60 of ours, 20 each of A0, A3 and people, or what there is.

    `measured` is what `bench/ideas.py --json` wrote. People's ideas are of the briefs that are in it, so that no brief
    tells the source.
    """
    draw = random.Random(seed)
    sets = measured["sets"]
    items: list[Item] = []
    for source, share in SHARES.items():
        shown = [
            Item(source, one["brief"], " ".join(idea["body"].split()))
            for one in sets
            if one["system"] == source
            for idea in one["ideas"]
        ]
        items += draw.sample(shown, min(share, len(shown)))
    briefs = {one["brief"] for one in sets}
    people = [Item(BY_PEOPLE, one.brief, one.idea) for one in by_people if one.brief in briefs]
    items += draw.sample(people, min(PEOPLE, len(people)))
    draw.shuffle(items)
    return items


def missing(items: Sequence[Item]) -> list[str]:
    """What the protocol asks for and the items lack, as "A0 asked directly: 10 of 20"."""
    wanted = {**SHARES, BY_PEOPLE: PEOPLE}
    got = {source: sum(item.source == source for item in items) for source in wanted}
    return [f"{source}: {got[source]} of {share}" for source, share in wanted.items() if got[source] < share]


def write(items: Sequence[Item], folder: Path) -> None:
    """The sheet for the readers, as text and as a table to fill in, and the key that they must not see.

    Raises `BadInput` when the folder holds a reading already: its ratings would belong to other ideas.
    """
    if (folder / KEY).exists():
        raise BadInput(f"{folder} holds a reading already. Name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    scale = " · ".join(f"{rating} {meaning}" for rating, meaning in SCALE.items())
    lines = [f"{number}. *{item.brief}* — {item.idea}" for number, item in enumerate(items, start=1)]
    (folder / SHEET).write_text("\n".join([f"# Rate each idea\n\n{scale}\n", *lines]) + "\n", encoding="utf-8")
    with (folder / TEMPLATE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", "brief", "idea", "rating"])
        for number, item in enumerate(items, start=1):
            # An apostrophe keeps a spreadsheet from taking what a model wrote for a formula
            idea = f"'{item.idea}" if item.idea.startswith(("=", "+", "-", "@")) else item.idea
            table.writerow([number, item.brief, idea, ""])
    (folder / KEY).write_text(json.dumps([asdict(item) for item in items], indent=1), encoding="utf-8")


def read_key(folder: Path) -> list[Item]:
    """The items of a reading, in the sheet's order. Raises `BadInput`."""
    try:
        return [Item(**one) for one in json.loads((folder / KEY).read_text(encoding="utf-8"))]
    except FileNotFoundError:
        raise BadInput(f"{folder} holds no reading. Make one: python bench/reading.py make IDEAS.json FOLDER") from None
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{folder / KEY} can't be read: {error}") from None


def read_ratings(path: Path, count: int, *, whole: bool = True) -> dict[int, int]:
    """Ratings by number, from a CSV file with the columns "number" and "rating"; others are looked past.

    A semicolon may part the columns, as some spreadsheets write it. Raises `BadInput` that names the line at fault, or,
    with `whole`, the numbers that have no rating.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} can't be read as CSV: {error}") from None
    head = text.partition("\n")[0]
    rows = csv.DictReader(text.splitlines(keepends=True), delimiter=";" if head.count(";") > head.count(",") else ",")
    if not {"number", "rating"} <= set(rows.fieldnames or ()):
        raise BadInput(f"{path} needs a first line with the columns 'number' and 'rating'.")
    ratings: dict[int, int] = {}
    for row in rows:
        number, rating = (row["number"] or "").strip(), (row["rating"] or "").strip()
        if not rating:
            continue
        if not number.isdecimal() or not 1 <= int(number) <= count or rating not in {"0", "1", "2", "3"}:
            raise BadInput(f"{path}, line {rows.line_num}: wanted 1 to {count} and a rating 0 to 3.")
        if int(number) in ratings:
            raise BadInput(f"{path}, line {rows.line_num}: idea {number} is rated twice.")
        ratings[int(number)] = int(rating)
    if whole and (without := [number for number in range(1, count + 1) if number not in ratings]):
        told = ", ".join(map(str, without[:8])) + (" and more" if len(without) > 8 else "")
        raise BadInput(f"{path}: {len(without)} of {count} ideas have no rating: {told}.")
    return ratings


def write_ratings(path: Path, ratings: Mapping[int, int]) -> None:
    """Ratings by number as CSV, the file replaced at once."""
    partial = path.with_suffix(".partial")
    lines = ["number,rating", *(f"{number},{rating}" for number, rating in sorted(ratings.items()))]
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(path)


def result(items: Sequence[Item], first: Sequence[int], second: Sequence[int]) -> str:
    """A Markdown table by source (share at 2 or more by each reader and both, mean), and the readers' agreement.

    Agreement is Cohen's kappa with quadratic weights (Cohen 1968). The ratings are those of the items, in order.
    """
    lines = [
        "| source | ideas | clear (2 or more) | first reader | second reader | mean |",
        "|---|---|---|---|---|---|",
    ]
    for source in [*SHARES, BY_PEOPLE]:
        places = [place for place, item in enumerate(items) if item.source == source]
        if places:
            by_reader = [[reader[place] for place in places] for reader in (first, second)]
            clear = [mean(rating >= 2 for rating in ratings) for ratings in by_reader]
            both = mean(by_reader[0] + by_reader[1])
            shares = " | ".join(f"{share:.0%}" for share in (mean(clear), *clear))
            lines.append(f"| {source} | {len(places)} | {shares} | {both:.2f} |")
    same = mean(one == other for one, other in zip(first, second, strict=True))
    return "\n".join(
        [*lines, "", f"The readers gave {same:.0%} of the ideas the same rating. {_agreement(first, second)}"]
    )


def report(items: Sequence[Item], first: Sequence[int], second: Sequence[int]) -> str:
    """The result, then every idea with its brief, its source and both ratings, as Markdown."""
    lines = ["| # | source | brief | idea | ratings |", "|---|---|---|---|---|"]
    for number, (item, one, other) in enumerate(zip(items, first, second, strict=True), start=1):
        brief, idea = (text.replace("|", "\\|") for text in (item.brief, item.idea))
        lines.append(f"| {number} | {item.source} | {brief} | {idea} | {one}, {other} |")
    return "\n".join(["# Sense, read blind\n", result(items, first, second), "", *lines]) + "\n"


def _agreement(first: Sequence[int], second: Sequence[int]) -> str:
    from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

    if len({*first, *second}) < 2:
        return "No weighted kappa: every rating is the same."
    kappa = cohen_kappa_score(first, second, labels=list(SCALE), weights="quadratic")
    return f"Weighted kappa: {kappa:.2f}"
