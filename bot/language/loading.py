"""Finding a model and loading it: a folder, a GGUF file, or a name on the hub.

Only a model that is named, and that is not in the hub's cache yet, makes Kindling ask the network for anything. Code
that comes with a model is never run, and weights are read from safetensors only.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.language.architecture import UnknownArchitecture, describe, read_config
from bot.language.chat import ChatTemplate
from bot.language.conversion import Progress, converted, recipe_for_file
from bot.language.decoder import Decoder
from bot.language.errors import LanguageError, ModelNotFound, ModelTooLarge
from bot.language.packed import has_fast_bf16
from bot.language.surroundings import offline, quiet
from bot.language.tokenizer import read_tokenizer
from bot.language.weights import stored_weights
from knowledge.crew import threads
from knowledge.imports import TURN

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to run.

    `window` is how many tokens it can see, prompt and answer together; `end_tokens` end an answer.
    """

    model: Any  # a Decoder, or a transformers.PreTrainedModel
    template: ChatTemplate
    device: torch.device
    window: int
    end_tokens: frozenset[int]


def find(source: str, models_dir: Path, progress: Progress) -> Path:
    """The folder with the model that `source` means.

    `source` is a folder, a GGUF file (converted once into `models_dir`), or a name on the hub such as "Qwen/Qwen3-0.6B"
    (downloaded once into the hub's own cache). Raises ModelNotFound and what `converted` raises.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise ModelNotFound(f"There is no file {path}.")
        return converted(recipe_for_file(path), models_dir, progress)
    if not _HUB_NAME.fullmatch(source):
        raise ModelNotFound(f"{source} is no folder, no GGUF file and no name on the hub (owner/name).")
    return _from_hub(source, progress)


def _from_hub(name: str, progress: Progress) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        with offline():
            folder = Path(snapshot_download(name, allow_patterns=_FILES, local_files_only=True))
        if _complete(folder):
            return folder
    except (LocalEntryNotFoundError, OSError):
        pass  # not in the cache: ask the hub
    progress(f"downloading {name}", 0.0)
    try:
        folder = Path(snapshot_download(name, allow_patterns=_FILES))
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{name} wants its licence accepted on its hub page first, and then HF_TOKEN to be set."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(f"The hub has no model {name}, or it is private and HF_TOKEN is not set.") from error
    except Exception as error:  # OfflineModeIsEnabled, LocalEntryNotFoundError, and whatever the HTTP library raises
        raise ModelNotFound(
            f"{name} has not been downloaded yet and the hub cannot be reached. Go online once, or give a folder."
        ) from error
    if not _complete(folder):
        raise ModelNotFound(f"{name} has no weights in safetensors on the hub. Choose another model.")
    return folder


def _complete(folder: Path) -> bool:
    """Whether the folder has a configuration and every file of the weights."""
    index = folder / "model.safetensors.index.json"
    if not (folder / "config.json").is_file():
        return False
    if not index.is_file():
        return (folder / "model.safetensors").is_file()
    files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / file).is_file() for file in files)


def load(folder: Path, device: str = "auto") -> Loaded:
    """Load the model in `folder`. `device` is "cpu", "cuda" (or "cuda:1") or "auto": CUDA where there is any.

    Models of an architecture that is known here run on decoder.py. transformers, whose import takes longer than
    loading a small model, is needed for others only. Raises ModelNotFound when the folder holds no readable model,
    ModelTooLarge when it does not fit in memory, and LanguageError for a device that is not there.
    """
    import torch

    # PyTorch gives a thread that first computes now the count that some thread set last, and the embedder's thread sets
    # one while it embeds a query: without this the model might be left with a single core for good.
    torch.set_num_threads(threads())
    where = _device(device)
    try:
        config = read_config(folder)
        tokenizer = read_tokenizer(folder)
        model = _decoder(folder, config, where) or _any_model(folder, where)
    except Exception as error:
        raise out_of_memory(error) or _unreadable(folder, error) from error
    window = config.get("max_position_embeddings") or 2048
    return Loaded(model, ChatTemplate(tokenizer), where, window, _end_tokens(folder, config, tokenizer))


def _decoder(folder: Path, config: dict[str, Any], device: torch.device) -> Decoder | None:
    """The model on decoder.py, or None with a line in the log if that does not know everything about it."""
    try:
        architecture = describe(config)
    except UnknownArchitecture as unknown:
        log.info("The fast engine does not know %s: using the plain one", unknown)
        return None
    with stored_weights(folder) as weights:
        return Decoder(architecture, weights, device, compute_dtype(device))


def load_plain(folder: Path, device: str = "auto") -> Any:
    """The model in `folder` in float32 as transformers computes it: to train it, or to measure by. Raises as `load`."""
    where = _device(device)
    try:
        return _any_model(folder, where).float()
    except Exception as error:
        raise out_of_memory(error) or _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> ModelNotFound:
    reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return ModelNotFound(f"{folder} holds no readable model: {reason}")


def _any_model(folder: Path, device: torch.device) -> Any:
    """Any causal language model that transformers knows."""
    with TURN:
        from transformers import AutoModelForCausalLM

    with offline(), quiet():
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, dtype=compute_dtype(device), use_safetensors=True
        )
        return model.to(device).eval()


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise LanguageError("No CUDA device was found. Set the device to cpu or auto.")
    return device


def compute_dtype(device: torch.device) -> torch.dtype:
    """The fastest dtype in which the device computes well: bf16 where the hardware has it, else float32."""
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if has_fast_bf16() else torch.float32


def _end_tokens(folder: Path, config: dict[str, Any], tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: some models have several, and not all say so in the same place."""
    file = folder / "generation_config.json"
    generation = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    ends: list[int] = []
    for said in (generation.get("eos_token_id"), config.get("eos_token_id"), tokenizer.eos_token_id):
        ends += said if isinstance(said, list) else [] if said is None else [said]
    return frozenset(ends)


def out_of_memory(error: BaseException) -> ModelTooLarge | None:
    """The error to show if `error` means that memory ran out, which torch says in several ways, some only in words."""
    import torch

    by_text = isinstance(error, RuntimeError) and re.search(r"can't allocate memory|not enough memory", str(error))
    if by_text or isinstance(error, MemoryError | torch.OutOfMemoryError):
        return ModelTooLarge("The language model does not fit in memory. Choose a smaller one, or free some memory.")
    return None
