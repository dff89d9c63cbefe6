"""Converting a GGUF file once into a folder that transformers loads in a second.

transformers reads GGUF by unpacking every tensor in Python, which takes half a minute for a small model, and it refuses
to save a model loaded so. The model is therefore rebuilt from its configuration and given the weights, an adapter is
merged where there is one, and the result is saved as bf16 safetensors with its tokenizer.

A finished folder appears by one rename. Whoever is killed on the way leaves a folder called `*.partial`, which nobody
reads and the next conversion removes. A note in the folder says what it was made from, so that what a new conversion
supersedes (a former adapter, a former version of the file) goes: such a folder is as large as the model.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.language.errors import LanguageError, ModelNotFound, ModelTooLarge
from bot.language.surroundings import offline, quiet
from knowledge.imports import TURN

Progress = Callable[[str, float], None]
"""Hears what is being done, in a few words for people, and how far it is in [0, 1]."""

NOTE = "converted-from.json"
ADAPTER_CONFIG = "adapter_config.json"  # peft's name for it

VERSION = 1
"""Raise it when the same file would be converted differently: it is part of every folder's name."""


def silent(_stage: str, _fraction: float) -> None:
    """A Progress that nobody hears."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a converted folder what it is.

    `identity` stands for the content of `gguf` and decides the folder's name; `sha256`, where known, must be that of
    the file. `adapter` is a folder with a LoRA adapter in peft's format, to be merged into the weights.
    """

    gguf: Path
    identity: str
    sha256: str | None = None
    adapter: Path | None = None

    @property
    def folder_name(self) -> str:
        """The name of the converted folder: another file, adapter or version of this module gives another name."""
        parts = [self.identity, adapter_digest(self.adapter) if self.adapter else "", str(VERSION)]
        return f"{self.gguf.stem}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"

    @property
    def line(self) -> dict[str, Any]:
        """What stays the same from version to version of a model: a later folder of the same line supersedes a former.

        With an adapter and without one are two lines: who tunes needs the one, who brainstorms the other.
        """
        return {"file": self.gguf.name if self.sha256 else str(self.gguf.resolve()), "tuned": self.adapter is not None}


def recipe_for_file(gguf: Path) -> Recipe:
    """The recipe for a user's own file. Path, size and time stand for its content: hashing takes long."""
    status = gguf.stat()
    return Recipe(gguf, f"{gguf.resolve()} {status.st_size} {status.st_mtime_ns}")


def converted(recipe: Recipe, models_dir: Path, progress: Progress = silent) -> Path:
    """The folder in `models_dir` with the converted model; made now if it is not there yet.

    Any number of processes may call this at once: one converts, the others wait for it. Raises ModelNotFound when the
    file is missing, damaged or of a kind that transformers cannot read, ModelTooLarge when memory does not suffice, and
    LanguageError when the folder cannot be written.
    """
    from filelock import FileLock

    target = models_dir / recipe.folder_name
    if target.is_dir():
        return target
    progress = _forward_only(progress)
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / ".conversion.lock"):
            for leftover in models_dir.glob("*.partial"):  # the lock is ours, so nobody is at work in there
                shutil.rmtree(leftover, ignore_errors=True)
            if not target.is_dir():
                _convert(recipe, target, progress)
                _remove_superseded(recipe, target)
    except OSError as error:
        raise LanguageError(f"Cannot write the converted model to {models_dir}: {error.strerror or error}") from error
    return target


def _forward_only(progress: Progress) -> Progress:
    """The same, without steps back: transformers shows several bars one after the other."""
    reached = 0.0

    def tell(stage: str, fraction: float) -> None:
        nonlocal reached
        if fraction >= reached:
            reached = fraction
            progress(stage, fraction)

    return tell


def _convert(recipe: Recipe, target: Path, progress: Progress) -> None:
    progress("checking the weights", 0.0)
    _check(recipe)
    partial = target.with_name(f"{target.name}.partial")
    partial.mkdir()
    try:
        model, tokenizer = _read(recipe, progress)
        progress("writing the converted model", 0.9)
        with quiet():
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        (partial / NOTE).write_text(json.dumps(recipe.line), encoding="utf-8")
        for file in partial.iterdir():
            _flush(file)
        partial.rename(target)
        _flush(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    progress("converted", 1.0)


def _remove_superseded(recipe: Recipe, target: Path) -> None:
    """Remove the folders of this recipe's line that came before `target`; the lock is ours.

    Folders from before there were notes, of a file of the same name, go too: at worst one is converted once more.
    """
    beginning = f"{recipe.gguf.stem}-"
    for folder in target.parent.iterdir():
        is_converted = re.fullmatch(r"[0-9a-f]{12}", folder.name.removeprefix(beginning)) is not None
        if folder == target or not folder.name.startswith(beginning) or not is_converted or not folder.is_dir():
            continue
        if _line_of(folder) in (recipe.line, None):
            gone = folder.with_name(f"{folder.name}.partial")  # half removed, nobody may take it for whole
            with suppress(OSError):  # somebody has it open, where that is a hindrance: the next conversion tries again
                folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def _line_of(folder: Path) -> Any:
    """The line that a converted folder's note names; None where there is no note that can be read."""
    try:
        return json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check(recipe: Recipe) -> None:
    if not recipe.gguf.is_file():
        raise ModelNotFound(f"There is no file {recipe.gguf}.")
    if recipe.sha256 and file_digest(recipe.gguf) != recipe.sha256:
        raise ModelNotFound(f"{recipe.gguf} is damaged or another version: its SHA-256 is not {recipe.sha256[:12]}…")


def _read(recipe: Recipe, progress: Progress) -> tuple[Any, Any]:
    """The model with plain bf16 weights (on the CPU) and its tokenizer."""
    with TURN:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(recipe.gguf.parent), "local_files_only": True}
    # Merging rounds: in float32 it happens once, in bf16 it would happen before and after
    dtype = torch.float32 if recipe.adapter else torch.bfloat16
    try:
        with offline(), quiet(lambda fraction: progress("unpacking the weights", 0.25 + 0.6 * fraction)):
            progress("reading the tokenizer", 0.05)
            tokenizer = AutoTokenizer.from_pretrained(gguf_file=recipe.gguf.name, **where)
            progress("unpacking the weights", 0.25)
            packed = AutoModelForCausalLM.from_pretrained(
                gguf_file=recipe.gguf.name, dtype=dtype, quantization_config=GgufConfig(dequantize=True), **where
            )
            model = _rebuilt(packed)
    except LanguageError:  # of the one who hears the progress: to break off
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelTooLarge(f"Not enough memory to convert {recipe.gguf.name}. Choose a smaller model.") from error
    except Exception as error:  # a torn or foreign file can trip the reader anywhere
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelNotFound(f"{recipe.gguf} cannot be read as a model: {reason}") from error
    if recipe.adapter:
        progress("merging the adapter", 0.86)
        model = _merged(model, recipe.adapter)
    return model.to(torch.bfloat16), tokenizer


def _rebuilt(packed: Any) -> Any:
    """The same model without the traces of its packed origin, for which transformers would refuse to save it.

    The weights are handed over, not copied.
    """
    import torch
    from transformers import AutoModelForCausalLM

    values = {key: value for key, value in packed.config.to_dict().items() if key != "quantization_config"}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(type(packed.config).from_dict(values))
    model.load_state_dict(packed.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = packed.generation_config
    return model


def _merged(model: Any, adapter: Path) -> Any:
    from peft import PeftModel

    try:
        with offline(), quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft speaks to an older transformers
            return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except LanguageError:  # of the one who hears the progress: to break off
        raise
    except Exception as error:  # torn, or of another model
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelNotFound(
            f"The adapter in {adapter} does not fit the model: {reason}. kindling tune --undo removes one of your own."
        ) from error


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def adapter_digest(folder: Path) -> str:
    """The SHA-256 over an adapter's configuration and tensors, in hexadecimal. Notes beside them do not count."""
    files = [path for path in sorted(folder.iterdir()) if path.name == ADAPTER_CONFIG or path.suffix == ".safetensors"]
    lines = [f"{path.name} {file_digest(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _flush(path: Path) -> None:
    """Wait until the disk has what was written: a rename must not survive a power cut that its content does not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
