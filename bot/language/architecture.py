"""What a decoder-only transformer looks like, read from its configuration: the Llama, Qwen and Gemma families.

These families differ in little, and every difference is a value here or shows in which weights there are (biases, norms
of queries and keys, norms after a block). decoder.py computes what this describes, and knows no names of families.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3"})
"""Model types that this module describes in full."""

GEMMAS = frozenset({"gemma", "gemma2", "gemma3_text"})
ACTIVATIONS: dict[str, Literal["silu", "gelu"]] = {
    "silu": "silu",
    "swish": "silu",
    "gelu_pytorch_tanh": "gelu",
    "gelu_new": "gelu",
}
ROPES = frozenset({"default", "linear", "llama3"})
"""Position encodings that are known here. Others are left to transformers."""


class UnknownArchitecture(Exception):
    """The model needs something that is not described here; the text says what."""


@dataclass(frozen=True, slots=True)
class Rope:
    """A rotary position encoding (Su et al. 2021): radians a token by which each pair of a head's dimensions turns."""

    frequencies: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LayerKind:
    """What may differ from layer to layer.

    `window` is how many of the last tokens a token sees, itself included (None: all); without `rope` a layer knows no
    positions.
    """

    rope: Rope | None
    window: int | None


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes and constants of one model.

    `width` is that of one head; `scale` multiplies the scores of attention, `embedding_scale` what is embedded;
    `score_cap` and `logit_cap` bound scores and logits softly (x -> cap tanh(x / cap)); norms multiply by
    weight + `norm_offset`.
    """

    layers: tuple[LayerKind, ...]
    heads: int
    key_heads: int
    width: int
    activation: Literal["silu", "gelu"]
    epsilon: float
    scale: float
    embedding_scale: float
    norm_offset: float
    score_cap: float | None
    logit_cap: float | None
    context: int


def read_config(folder: Path) -> dict[str, Any]:
    """The complete configuration of the model in a folder, as transformers 5 writes it.

    Older files leave out what their time took for granted; transformers fills that in, and is imported for it.
    Raises OSError and ValueError when there is none.
    """
    values: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if str(values.get("transformers_version", "")).startswith("5."):
        return values
    from transformers import AutoConfig

    complete: dict[str, Any] = AutoConfig.from_pretrained(str(folder), local_files_only=True).to_dict()
    return complete


def describe(config: dict[str, Any]) -> Architecture:
    """The architecture that a complete configuration means. Raises UnknownArchitecture."""
    family = config.get("model_type")
    if family not in FAMILIES:
        raise UnknownArchitecture(f"{family} models")
    for key in ("quantization_config", "use_bidirectional_attention"):
        if config.get(key):
            raise UnknownArchitecture(f"models with {key}")
    activation = config.get("hidden_activation") or config.get("hidden_act") or ""
    if activation not in ACTIVATIONS:
        raise UnknownArchitecture(f"the activation {activation!r}")
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    width = config.get("head_dim") or hidden // heads
    gemma = family in GEMMAS
    return Architecture(
        layers=tuple(_layer(config, index, width) for index in range(config["num_hidden_layers"])),
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        width=width,
        activation=ACTIVATIONS[activation],
        epsilon=config["rms_norm_eps"],
        scale=(config.get("query_pre_attn_scalar") or width) ** -0.5,
        embedding_scale=hidden**0.5 if gemma else 1.0,
        norm_offset=1.0 if gemma else 0.0,
        score_cap=config.get("attn_logit_softcapping"),
        logit_cap=config.get("final_logit_softcapping"),
        context=config.get("max_position_embeddings") or 2048,
    )


def _layer(config: dict[str, Any], index: int, width: int) -> LayerKind:
    kinds = config.get("layer_types")
    kind = kinds[index] if kinds else "sliding_attention" if config["model_type"] == "mistral" else "full_attention"
    if kind not in {"sliding_attention", "full_attention"}:
        raise UnknownArchitecture(f"layers of {kind}")
    window = config.get("sliding_window") if kind == "sliding_attention" else None
    turning = config.get("no_rope_layers")
    if turning and not turning[index]:
        return LayerKind(None, window)
    parameters = config.get("rope_parameters") or {}
    return LayerKind(_rope(parameters.get(kind, parameters), width), window)


def _rope(parameters: dict[str, Any], width: int) -> Rope:
    """The position encoding of one kind of layers."""
    kind = parameters.get("rope_type", "default")
    if kind not in ROPES or parameters.get("partial_rotary_factor", 1.0) != 1.0:
        raise UnknownArchitecture(f"the position encoding {kind!r}")
    frequencies = [parameters["rope_theta"] ** (-2 * i / width) for i in range(width // 2)]
    if kind == "linear":
        frequencies = [f / parameters["factor"] for f in frequencies]
    if kind == "llama3":
        frequencies = [_llama3(f, parameters) for f in frequencies]
    return Rope(tuple(frequencies))


def _llama3(frequency: float, parameters: dict[str, Any]) -> float:
    """Llama 3.1's stretching: long waves by `factor`, short ones not at all, those between by degrees."""
    turns = parameters["original_max_position_embeddings"] * frequency / (2 * math.pi)
    low, high, factor = (parameters[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    smooth = min(max((turns - low) / (high - low), 0.0), 1.0)
    return float(frequency * (smooth + (1 - smooth) / factor))
