"""Before and after, side by side: what the untuned and the tuned model write for held-out examples, unpicked.

`python -m training.compare` takes the first held-out brainstorms in the order of the files, each with its own spark
and technique, one seed each, and writes both answers as they came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.language.base import Continuation, LanguageModel, Sampling
from bot.language.conversion import Recipe as Conversion
from bot.language.conversion import converted
from bot.language.embedded import ADAPTER, GGUF_SHA256, embedded_model, find_gguf
from bot.language.local import LocalModel
from bot.settings import read_settings
from training.examples import Example, read, split

HERE = Path(__file__).parent


def main(
    out: Annotated[Path, typer.Option(help="Where the Markdown goes.")] = HERE / "before-and-after.md",
    adapter: Annotated[Path, typer.Option(help="The adapter's folder.")] = ADAPTER,
    count: int = 20,
    temperature: float = 0.5,
    held_out: float = 0.05,
    seed: int = 0,
) -> None:
    """Write both models' answers to the same held-out questions."""
    models = read_settings().data_dir / "models"
    _, unseen = split(read(sorted((HERE / "examples").glob("*.jsonl"))), held_out, seed)
    asked = [example for example in unseen if example.task == "brainstorm"][:count]
    before = LocalModel(
        "untuned",
        lambda tell: converted(Conversion(find_gguf(), GGUF_SHA256, GGUF_SHA256), models, tell),
        timeout=None,
    )
    after = embedded_model(models, adapter=adapter, timeout=None)
    sampling = [Sampling(temperature=temperature, max_tokens=120, seed=seed + number) for number in range(len(asked))]
    answers = [asyncio.run(_answers(model, asked, sampling)) for model in (before, after)]
    out.write_text(_page(asked, answers[0], answers[1], temperature), encoding="utf-8")


async def _answers(model: LanguageModel, asked: Sequence[Example], sampling: Sequence[Sampling]) -> list[str]:
    texts = [""] * len(asked)
    wanted = [Continuation(example.messages[1:], how) for example, how in zip(asked, sampling, strict=True)]
    try:
        async for piece in model.stream(asked[0].messages[:1], wanted):
            texts[piece.index] += piece.text
    finally:
        await model.close()
    return texts


def _page(asked: Sequence[Example], before: Sequence[str], after: Sequence[str], temperature: float) -> str:
    parts = [
        "# Before and after tuning",
        f"The first {len(asked)} held-out brainstorms, one sample each at temperature {temperature}, "
        "unpicked and uncut. No example with one of these briefs was learned from.",
    ]
    for number, (example, old, new) in enumerate(zip(asked, before, after, strict=True), start=1):
        question = "\n".join(f"> {line}" for line in example.messages[-1].text.splitlines())
        parts.append(f"## {number}\n\n{question}\n\n| untuned | tuned |\n|---|---|\n| {_cell(old)} | {_cell(new)} |")
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.strip().replace("|", "\\|").replace("\n", "<br>")


if __name__ == "__main__":
    typer.run(main)
