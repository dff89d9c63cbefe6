"""What the adapter learned from, as texts, and as the file by which Kindling knows them again.

`python -m training.learned` writes that file anew: whenever examples or mended ideas change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from bot.ideation import recited

HERE = Path(__file__).parent
FILE = HERE.parent / "bot" / "ideation" / recited.FILE


def main() -> None:
    """Write the hashes of all runs of eight words."""
    found = learned_runs()
    np.save(FILE, found)
    typer.echo(f"{len(found):,} runs of eight words: {FILE.name}.")


def learned_runs() -> NDArray[np.uint32]:
    """The hashes of all runs in all that was learned from, each once, sorted."""
    return np.unique(np.concatenate([recited.runs(text) for text in bodies()]))


def bodies() -> list[str]:
    """The bodies of all ideas that people or other models wrote for the training, each once: those that a twist or a
    remix begins with, those that were mended, and earlier versions, as the adapter learned from them first."""
    return list(dict.fromkeys([*_of_examples(), *_mended()]))


def _of_examples() -> Iterator[str]:
    for folder in ("examples", "earlier"):
        for path in sorted((HERE / folder).glob("*.jsonl")):
            for record in _records(path):
                given = record["input"]
                yield from (given[key]["idea"] for key in ("idea", "a", "b") if isinstance(given.get(key), dict))
                if "idea" in record["output"]:
                    yield record["output"]["idea"]


def _mended() -> Iterator[str]:
    for path in sorted((HERE / "rated").glob("*.jsonl")):
        for record in _records(path):
            yield from (answer["mended"] for answer in record["answers"] if "mended" in answer)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


if __name__ == "__main__":
    typer.run(main)
