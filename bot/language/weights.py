"""The weights in a model's folder, mapped into memory: what is not used is never read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class _Stored(Mapping[str, "torch.Tensor"]):
    """Tensors by name, each read when it is asked for."""

    def __init__(self, files: dict[str, Any]) -> None:
        """`files` maps every name to the open file that holds the tensor."""
        self._files = files

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._files[name].get_tensor(name)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@contextmanager
def stored_weights(folder: Path) -> Iterator[Mapping[str, torch.Tensor]]:
    """The tensors of all safetensors files of a folder; on the CPU, in the dtype in which they are stored.

    What is taken out stays valid afterwards, and with it the mapping of its file.
    """
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    with ExitStack() as stack:
        files = {}
        for name in sorted(names):
            file = stack.enter_context(safe_open(folder / name, framework="pt"))
            files.update(dict.fromkeys(file.keys(), file))
        yield _Stored(files)
