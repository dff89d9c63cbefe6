"""The embedded MiniLM, computed with NumPy: texts to vectors without loading PyTorch.

A query is a dozen tokens, and half the wait for its vector would be the libraries around the model: seconds to import
them, milliseconds to pass through them. The model itself is six layers of BERT (Devlin et al. 2018, arXiv 1810.04805),
mean pooling and a division by the length, some forty lines here. Texts are laid end to end, so nothing is padding;
only attention looks at them one by one.

Its weights are rounded to half precision, which moves the numbers of a vector by some ten-thousandths and leaves every
kernel that keeps them so (see `Kernels`) with the same result, to a millionth. Where PyTorch is loaded anyway, its
kernels take half the time.

It knows one architecture, BERT with exact GELU as sentence-transformers saves it, and refuses others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]


Linear: TypeAlias = Callable[[Array], Array]
"""x Wᵀ + b, for x of shape (tokens, in)."""

Norm: TypeAlias = Callable[[Array], Array]
"""Layer normalization, for x of shape (tokens, dimension)."""


class Kernels(Protocol):
    """The computations that take nearly all the time, for whoever can do them faster than NumPy."""

    def linear(self, weight: Array, bias: Array) -> Linear:
        """The layer with `weight` (out, in), whose numbers half precision holds, and `bias` (out,)."""

    def gelu(self, x: Array) -> Array:
        """x times the normal distribution's share below x."""

    def norm(self, x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
        """Layer normalization (Ba et al. 2016, arXiv 1607.06450) of each row of x, (tokens, dimension)."""

    def attention(self, query: Array, key: Array, value: Array) -> Array:
        """Every token's mixture of all values, by how its query goes with their keys: all (heads, tokens, width)."""


class NumPyKernels:
    """Kernels that need nothing beside NumPy."""

    def linear(self, weight: Array, bias: Array) -> Linear:
        """See Kernels."""
        turned = np.ascontiguousarray(weight.T)  # laid out as BLAS reads it fastest for a few rows

        def linear(x: Array) -> Array:
            y: Array = x @ turned
            y += bias
            return y

        return linear

    def gelu(self, x: Array) -> Array:
        """See Kernels."""
        return _gelu(x)

    def norm(self, x: Array, weight: Array, bias: Array, epsilon: float) -> Array:
        """See Kernels."""
        x = x - x.mean(-1, keepdims=True)
        variance = np.einsum("td,td->t", x, x)[:, None] / np.float32(x.shape[-1])
        x *= weight / np.sqrt(variance + np.float32(epsilon))
        x += bias
        return x

    def attention(self, query: Array, key: Array, value: Array) -> Array:
        """See Kernels."""
        scores: Array = query @ key.transpose(0, 2, 1)
        scores *= np.float32(query.shape[-1] ** -0.5)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        mixed: Array = scores @ value
        return mixed


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: Linear  # queries, keys and values side by side
    attended: Linear
    attended_norm: Norm
    widen: Linear
    narrow: Linear
    narrow_norm: Norm


class MiniLM:
    """A BERT sentence encoder in a folder of sentence-transformers' making.

    Attributes:
        dimension: the length of a vector.
    """

    def __init__(self, folder: Path, kernels: Kernels | None = None) -> None:
        """Read the weights, about a fifth of a second. Without `kernels` it computes with NumPy.

        Raises:
            ValueError: it is no BERT encoder with mean pooling. OSError, KeyError: it is damaged.
        """
        from safetensors.numpy import load_file
        from threadpoolctl import ThreadpoolController
        from tokenizers import Tokenizer

        config = json.loads((folder / "config.json").read_text("utf-8"))
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text("utf-8"))
        if config["model_type"] != "bert" or config["hidden_act"] != "gelu" or not pooling["pooling_mode_mean_tokens"]:
            raise ValueError(f"{folder} holds no BERT encoder with mean pooling")
        longest = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
        self._threads = ThreadpoolController().select(user_api="blas")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        weights = load_file(folder / "model.safetensors")
        epsilon = float(config["layer_norm_eps"])
        self._heads = int(config["num_attention_heads"])
        self.dimension = int(config["hidden_size"])
        self._words = weights["embeddings.word_embeddings.weight"]
        types = weights["embeddings.token_type_embeddings.weight"]
        self._places: Array = weights["embeddings.position_embeddings.weight"] + types[0]
        kernels = kernels or NumPyKernels()
        self._norm = _norm(weights, "embeddings", epsilon, kernels)
        self._kernels = kernels
        self._layers = [
            _layer(weights, f"encoder.layer.{i}", epsilon, kernels) for i in range(config["num_hidden_layers"])
        ]

    def embed(self, texts: Sequence[str]) -> Array:
        """One vector of length 1 for each text, in order: shape (len(texts), dimension), float32.

        Texts longer than the model reads are cut.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        with self._threads.limit(limits=1):
            return self._vectors([encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))])

    def _vectors(self, ids: Sequence[Sequence[int]]) -> Array:
        ends = np.cumsum([len(row) for row in ids])
        starts = ends - [len(row) for row in ids]
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        hidden = self._words[np.concatenate(ids)]
        hidden += np.concatenate([self._places[: end - start] for start, end in spans])
        hidden = self._norm(hidden)
        for layer in self._layers:
            hidden = layer.attended_norm(hidden + layer.attended(self._mixed(layer.attend(hidden), spans)))
            hidden = layer.narrow_norm(hidden + layer.narrow(self._kernels.gelu(layer.widen(hidden))))
        vectors: Array = np.add.reduceat(hidden, starts)  # the direction of the sum is that of the mean
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def _mixed(self, projected: Array, spans: Sequence[tuple[int, int]]) -> Array:
        """Attention within each text. projected: (tokens, 3 x dimension); returns (tokens, dimension)."""
        width = self.dimension // self._heads
        mixed = np.empty((len(projected), self._heads, width), np.float32)
        parts = projected.reshape(len(projected), 3, self._heads, width)
        for start, end in spans:
            query, key, value = parts[start:end].transpose(1, 2, 0, 3)  # each (heads, tokens, width)
            mixed[start:end] = self._kernels.attention(query, key, value).transpose(1, 0, 2)
        return mixed.reshape(len(projected), self.dimension)


def _norm(weights: dict[str, Array], place: str, epsilon: float, kernels: Kernels) -> Norm:
    weight, bias = weights[f"{place}.LayerNorm.weight"], weights[f"{place}.LayerNorm.bias"]
    return lambda x: kernels.norm(x, weight, bias, epsilon)


def _weight(weights: dict[str, Array], place: str) -> tuple[Array, Array]:
    """A linear layer's weight (out, in), rounded to half precision, and bias (out,)."""
    return weights[f"{place}.weight"].astype(np.float16).astype(np.float32), weights[f"{place}.bias"]


def _layer(weights: dict[str, Array], place: str, epsilon: float, kernels: Kernels) -> _Layer:
    query, key, value = (_weight(weights, f"{place}.attention.self.{part}") for part in ("query", "key", "value"))
    return _Layer(
        kernels.linear(np.vstack([query[0], key[0], value[0]]), np.hstack([query[1], key[1], value[1]])),
        kernels.linear(*_weight(weights, f"{place}.attention.output.dense")),
        _norm(weights, f"{place}.attention.output", epsilon, kernels),
        kernels.linear(*_weight(weights, f"{place}.intermediate.dense")),
        kernels.linear(*_weight(weights, f"{place}.output.dense")),
        _norm(weights, f"{place}.output", epsilon, kernels),
    )


_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_AT = 0.3275911


def _gelu(x: Array) -> Array:
    """x times the normal distribution's share below x.

    The error function is that of Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 7.1.26, within
    1.5e-7 of the exact one: NumPy has none, and SciPy would be loaded for nothing else.
    """
    z = np.abs(x)
    z *= np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(_ERF_AT) * z)
    tail = np.full_like(t, _ERF[-1])
    for coefficient in _ERF[-2::-1]:
        tail *= t
        tail += np.float32(coefficient)
    tail *= t
    tail *= np.exp(-z * z)  # 1 - erf(z), twice the share beyond |x|
    tail *= np.float32(-0.5)
    below = np.where(x < 0, -tail, 1 + tail)
    below *= x
    return below
