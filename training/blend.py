"""Average adapters: `python -m training.blend clear apart`.

What was trained from one start into several directions can be averaged, and the average lies between them (Wortsman et
al. 2022, "Model soups", arXiv 2203.05482): one adapter had come to write more clearly and more alike, another the other
way round. The factors of LoRA are averaged as they are, which is near the average of their products where the adapters
are near each other.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.edge import told
from bot.language.embedded import ADAPTER
from knowledge.errors import BadInput
from training.adapter import CONFIG, WEIGHTS
from training.prefer import NOTES, rounds


def main(
    adapters: Annotated[list[Path], typer.Argument(help="Folders of adapters of one shape.")],
    out: Annotated[Path, typer.Option(help="Folder for their average.")] = ADAPTER,
) -> None:
    """Write the average of several adapters, with the notes of all of them."""
    from safetensors.torch import save_file

    with told():
        mixed = average([_tensors(folder) for folder in adapters])
    notes = [{"average_of": {folder.name: rounds(folder) for folder in adapters}}]
    out.mkdir(parents=True, exist_ok=True)
    save_file(mixed, out / WEIGHTS, {"format": "pt"})
    shutil.copyfile(adapters[0] / CONFIG, out / CONFIG)
    (out / NOTES).write_text(json.dumps(notes, indent=2) + "\n", encoding="utf-8")


def average(states: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of the tensors of each name, in their own dtype. Raises BadInput unless names and shapes agree."""
    import torch

    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    if any(shape != shapes[0] for shape in shapes):
        raise BadInput("Only adapters of one shape can be averaged: give some that were trained from one start.")
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(tensor.dtype)
        for name, tensor in states[0].items()
    }


def _tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    if not (folder / WEIGHTS).exists():
        raise BadInput(f"There is no adapter in {folder}.")
    return load_file(folder / WEIGHTS)


if __name__ == "__main__":
    typer.run(main)
