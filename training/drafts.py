"""What the tuned model itself writes for the questions of the examples: the worse half of each pair in prefer.py.

`python -m training.drafts` writes JSON Lines, a draft a line, and goes on where it was broken off. Drafts are sampled
from all that the model believes, at temperature 1: cooler ones are likelier than what people write, and to prefer
people would be to prefer the unlikely.
"""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer

from bot.language.base import Continuation, LanguageModel, Sampling
from bot.language.embedded import ADAPTER, embedded_model
from bot.settings import read_settings
from training.examples import Example, read

HERE = Path(__file__).parent
DRAFTS = Path(".cache/training/drafts.jsonl")
AT_ONCE = 48


def main(
    out: Annotated[Path, typer.Option(help="Where the drafts go.")] = DRAFTS,
    adapter: Annotated[Path, typer.Option(help="The adapter's folder.")] = ADAPTER,
    count: Annotated[int, typer.Option(min=1, help="How many brainstorms to write for, at most.")] = 1200,
    seed: int = 0,
) -> None:
    """Write a draft for each of some brainstorms, picked at random."""
    settings = read_settings()
    asked = [one for one in read(sorted((HERE / "examples").glob("*.jsonl"))) if one.task == "brainstorm"]
    asked = random.Random(seed).sample(asked, min(count, len(asked)))
    have = drafts(out) if out.exists() else {}
    missing = [example for example in asked if question(example) not in have]
    out.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(_write(missing, embedded_model(settings.data_dir / "models", adapter=adapter, timeout=None), out))


def drafts(path: Path) -> dict[str, str]:
    """The drafts in a file, by the question that they answer."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {record["question"]: record["draft"] for record in map(json.loads, lines)}


def question(example: Example) -> str:
    """What a draft answers: the last message, which holds brief, spark and technique."""
    return example.messages[-1].text


async def _write(examples: Sequence[Example], model: LanguageModel, out: Path) -> None:
    try:
        with out.open("a", encoding="utf-8") as file:
            for first in range(0, len(examples), AT_ONCE):
                part = examples[first : first + AT_ONCE]
                texts = [""] * len(part)
                wanted = [
                    Continuation(
                        (example.messages[-1],),
                        Sampling(1.0, top_p=1.0, top_k=0, max_tokens=110, seed=zlib.crc32(question(example).encode())),
                    )
                    for example in part
                ]
                async with aclosing(model.stream(part[0].messages[:1], wanted)) as pieces:
                    async for piece in pieces:
                        texts[piece.index] += piece.text
                for example, text in zip(part, texts, strict=True):
                    file.write(json.dumps({"question": question(example), "draft": text}, ensure_ascii=False) + "\n")
                file.flush()
                print(f"{first + len(part)} of {len(examples)} drafts", flush=True)
    finally:
        await model.close()


if __name__ == "__main__":
    typer.run(main)
