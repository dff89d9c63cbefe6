"""The LoRA adapter: put on the base model, saved small, loaded again. (Hu et al. 2021, arXiv 2106.09685.)"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.language.conversion import ADAPTER_CONFIG as CONFIG
from bot.language.embedded import MODEL

WEIGHTS = "adapter_model.safetensors"


def attach(base: Any, rank: int, alpha: int, seed: int) -> Any:
    """The base model with a fresh adapter on every linear layer but the output; only the adapter can be trained."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(base, config)


def weights(model: Any) -> dict[str, Any]:
    """The adapter's tensors by name, copied to the CPU as they are (float32 while training)."""
    from peft import get_peft_model_state_dict

    return {name: tensor.detach().cpu().clone() for name, tensor in get_peft_model_state_dict(model).items()}


def restore(model: Any, state: dict[str, Any]) -> None:
    """Put tensors that `weights` gave back into a model with an adapter of the same shape."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, {name: tensor.float() for name, tensor in state.items()})


def load(model: Any, folder: Path) -> None:
    """Start from a saved adapter of the same rank instead of a fresh one."""
    from safetensors.torch import load_file

    restore(model, load_file(folder / WEIGHTS))


def save(model: Any, state: dict[str, Any], folder: Path) -> None:
    """Write adapter_config.json and the tensors as bfloat16, which halves the file and costs no quality."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in state.items()}, folder / WEIGHTS, {"format": "pt"})
    config = model.peft_config["default"]
    config.inference_mode = True
    config.base_model_name_or_path = MODEL  # not the folder of whoever trained it
    config.save_pretrained(folder)
    path = folder / CONFIG
    told = json.loads(path.read_text(encoding="utf-8"))
    told["target_modules"] = sorted(told["target_modules"])  # a set, in whose order the file would differ every time
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
