"""Sense, read blind: a sheet of shuffled ideas without labels, a key, and what two readers' ratings come to.

python bench/ideas.py --systems ours,a0,a3 --reading FOLDER       writes sheet.md and key.json there
python -m bench.ideation.reading FOLDER first.txt second.txt      each with one rating (0 to 3) a line, in order
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from bench.ideation.table import Entry

SHARES = {"Kindling": 60, "A0 asked directly": 20, "A3 three snippets pasted": 20}
BY_PEOPLE = "people"
PEOPLE = 20
SCALE = "0 muddled · 1 one can guess what is meant · 2 clear · 3 clear and one would try it"


@dataclass(frozen=True, slots=True)
class Item:
    """One idea to read, with the brief that it answers and, in the key alone, where it comes from."""

    source: str
    brief: str
    idea: str


def drawn(entries: Sequence[Entry], by_people: Sequence[tuple[str, str]], seed: int = 0) -> list[Item]:
    """The protocol's mixture, shuffled: 60 of ours, 20 each of A0, A3 and people (brief, idea), or what there is."""
    draw = random.Random(seed)
    items: list[Item] = []
    for source, share in SHARES.items():
        shown = [Item(source, e.brief, idea.body) for e in entries if e.system == source for idea in e.run.ideas]
        items += draw.sample(shown, min(share, len(shown)))
    pairs = draw.sample(list(by_people), min(PEOPLE, len(by_people)))
    items += [Item(BY_PEOPLE, brief, idea) for brief, idea in pairs]
    draw.shuffle(items)
    return items


def write(items: Sequence[Item], folder: Path) -> None:
    """The sheet for the readers, and the key that they must not see."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{number}. *{item.brief}* — {item.idea}" for number, item in enumerate(items, start=1)]
    (folder / "sheet.md").write_text("\n".join([f"# Rate each idea\n\n{SCALE}\n", *lines]) + "\n", encoding="utf-8")
    (folder / "key.json").write_text(json.dumps([asdict(item) for item in items], indent=1), encoding="utf-8")


def result(items: Sequence[Item], first: Sequence[int], second: Sequence[int]) -> str:
    """A Markdown table by source (share at 2 or more, mean), and the readers' agreement.

    Agreement is Cohen's kappa with quadratic weights (Cohen 1968). Raises ValueError when ratings are missing or not
    from 0 to 3.
    """
    from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

    for ratings in (first, second):
        if len(ratings) != len(items) or not set(ratings) <= {0, 1, 2, 3}:
            raise ValueError(f"{len(items)} ratings from 0 to 3 are wanted, one a line")
    lines = ["| source | ideas | clear (2 or more) | mean |", "|---|---|---|---|"]
    for source in [*SHARES, BY_PEOPLE]:
        places = [place for place, item in enumerate(items) if item.source == source]
        if places:
            ratings = [rating for place in places for rating in (first[place], second[place])]
            clear = mean(rating >= 2 for rating in ratings)
            lines.append(f"| {source} | {len(places)} | {clear:.0%} | {mean(ratings):.2f} |")
    kappa = cohen_kappa_score(first, second, labels=[0, 1, 2, 3], weights="quadratic")
    return "\n".join([*lines, "", f"Agreement of the readers (weighted kappa): {kappa:.2f}"])


if __name__ == "__main__":
    folder, *files = map(Path, sys.argv[1:])
    key = [Item(**item) for item in json.loads((folder / "key.json").read_text(encoding="utf-8"))]
    ratings = [[int(line) for line in file.read_text(encoding="utf-8").split()] for file in files]
    print(result(key, *ratings))
