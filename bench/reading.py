"""Sense, read blind, as the protocol of the ideas benchmark asks: ideas of four sources, shuffled, without labels.

    python bench/ideas.py --systems ours,a0,a3 --json ideas.json      what is to be read
    python bench/reading.py make ideas.json reading                   the sheet, and the key that readers don't look at
    python bench/reading.py rate reading anna                         rate in the terminal, or fill in sheet.csv
    python bench/reading.py tell reading anna.csv ben.csv             the share of clear ideas by source, and agreement

Ratings typed in the terminal are kept after each one: stop at any time and go on later.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python would look for `bench` in this folder

from bench.ideation import reading  # noqa: E402
from bench.ideation.handwritten import hand_written  # noqa: E402
from knowledge.errors import BadInput, KindlingError  # noqa: E402

app = typer.Typer(help="Have ideas read blind by two readers.", add_completion=False, no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="The reading's folder.")]


@app.command()
def make(
    ideas: Annotated[Path, typer.Argument(help="What bench/ideas.py --json wrote.")],
    folder: Folder,
    seed: Annotated[int, typer.Option(help="Draws and shuffles the ideas.")] = 0,
) -> None:
    """Draw and shuffle the ideas; write sheet.md, sheet.csv and the key."""
    with _told():
        try:
            items = reading.drawn(json.loads(ideas.read_text(encoding="utf-8")), hand_written(), seed)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{ideas} is not what bench/ideas.py --json writes: {error}") from None
        if not items:
            raise BadInput(f"{ideas} holds no ideas of {', '.join(reading.SHARES)}.")
        reading.write(items, folder)
    typer.echo(f"{len(items)} ideas to rate: {folder / reading.SHEET}, or {folder / reading.TEMPLATE} to fill in.")
    if short := reading.missing(items):
        typer.echo(f"Fewer than the protocol asks for: {'; '.join(short)}.", err=True)


@app.command()
def rate(folder: Folder, reader: Annotated[str, typer.Argument(help="Names the file of your ratings.")]) -> None:
    """Rate the ideas one by one; goes on where you stopped."""
    with _told():
        items = reading.read_key(folder)
        path = _file_of(folder, reader)
        ratings = reading.read_ratings(path, len(items), whole=False) if path.exists() else {}
    scale = ", ".join(f"{rating} {meaning}" for rating, meaning in reading.SCALE.items())
    typer.echo(f"{scale}. b goes back, q stops.")
    number = _next(ratings, len(items))
    while number <= len(items):
        item = items[number - 1]
        typer.echo(f"\n{number} of {len(items)}   {item.brief}\n{item.idea}")
        try:
            typed = input("rating: ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            typed = "q"
        if typed == "q":
            typer.echo(f"\n{len(ratings)} of {len(items)} rated. The same command goes on.")
            return
        if typed == "b":
            number = max(1, number - 1)
        elif typed in {str(rating) for rating in reading.SCALE}:
            ratings[number] = int(typed)
            reading.write_ratings(path, ratings)
            number += 1
        else:
            typer.echo("0, 1, 2 or 3, b or q.")
        if number > len(items):
            number = _next(ratings, len(items))
    typer.echo(f"\nAll {len(items)} are rated: {path}")


@app.command()
def tell(
    folder: Folder,
    first: Annotated[Path, typer.Argument(help="The first reader's CSV.")],
    second: Annotated[Path, typer.Argument(help="The second reader's CSV.")],
    report: Annotated[Path | None, typer.Option(help="Write it with all ideas, sources and ratings.")] = None,
) -> None:
    """Tell what the ratings come to, by source, and how far the readers agree."""
    with _told():
        items = reading.read_key(folder)
        ratings = []
        for path in (first, second):
            found = path if path.exists() else folder / path
            by_number = reading.read_ratings(found, len(items))
            ratings.append([by_number[number] for number in range(1, len(items) + 1)])
    typer.echo(reading.result(items, *ratings))
    if report:
        report.write_text(reading.report(items, *ratings), encoding="utf-8")


def _file_of(folder: Path, reader: str) -> Path:
    if not reader.isidentifier() or f"{reader}.csv" == reading.TEMPLATE:
        raise BadInput("Give a reader's name in letters, as anna.")
    return folder / f"{reader}.csv"


def _next(ratings: dict[int, int], count: int) -> int:
    """The first number without a rating; past the last when all have one."""
    return next((number for number in range(1, count + 1) if number not in ratings), count + 1)


@contextmanager
def _told() -> Iterator[None]:
    """What went wrong, in one line, and exit 1."""
    try:
        yield
    except KindlingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
