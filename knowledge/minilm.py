"""The embedded MiniLM, computed with NumPy: texts to vectors without loading PyTorch.

A query is a dozen tokens, and half the wait for its vector would be the libraries around the model: seconds to import
them, milliseconds to pass through them. The model itself is six layers of BERT (Devlin et al. 2018, arXiv 1810.04805),
mean pooling and a division by the length, some forty lines here. Texts are laid end to end, so nothing is padding;
only attention looks at them one by one.

Its weights are rounded to half precision, which moves the numbers of a vector by some ten-thousandths and leaves every
library that keeps them so with the same result, to a millionth. Where PyTorch is loaded anyway, an encoder of its
operations takes half the time (see `MakeEncoder`).

It knows one architecture, BERT with exact GELU as sentence-transformers saves it, and refuses others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]

Layer: TypeAlias = tuple[Array, Array]
"""Weight and bias: (out, in) and (out,) of a linear layer, y = x Wᵀ + b; (d,) and (d,) of a layer normalization."""

Spans: TypeAlias = Sequence[tuple[int, int]]
"""The first token of each text, and the one after its last."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the encoder: attention, then a feed-forward network, each added to what came in and normed."""

    attend: Layer  # queries, keys and values side by side
    attended: Layer
    attended_norm: Layer
    widen: Layer
    narrow: Layer
    narrow_norm: Layer


@dataclass(frozen=True, slots=True)
class Bert:
    """An encoder's weights. Half precision holds the numbers of its blocks' linear layers.

    Attributes:
        epsilon: what the layer normalizations add to the variance. norm: the one before the first block.
    """

    blocks: tuple[Block, ...]
    norm: Layer
    heads: int
    epsilon: float


Encode: TypeAlias = Callable[[Array, Spans], Array]
"""From the embeddings of texts laid end to end to the last block's output: both (tokens, dimension)."""

MakeEncoder: TypeAlias = Callable[[Bert], Encode]
"""How an encoder is made of its weights: `numpy_encoder`, or for PyTorch the one in bot/language/bert.py."""


class MiniLM:
    """A BERT sentence encoder in a folder of sentence-transformers' making.

    Attributes:
        dimension: the length of a vector.
    """

    def __init__(self, folder: Path, make_encoder: MakeEncoder | None = None) -> None:
        """Read the weights, about a fifth of a second. Without `make_encoder` it computes with NumPy.

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
        self._threads = ThreadpoolController()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest)
        weights = load_file(folder / "model.safetensors")
        self.dimension = int(config["hidden_size"])
        self._words = weights["embeddings.word_embeddings.weight"]
        types = weights["embeddings.token_type_embeddings.weight"]
        self._places: Array = weights["embeddings.position_embeddings.weight"] + types[0]
        bert = Bert(
            tuple(_block(weights, f"encoder.layer.{i}") for i in range(config["num_hidden_layers"])),
            _layer(weights, "embeddings.LayerNorm"),
            int(config["num_attention_heads"]),
            float(config["layer_norm_eps"]),
        )
        self._encode = (make_encoder or numpy_encoder)(bert)

    def embed(self, texts: Sequence[str]) -> Array:
        """One vector of length 1 for each text, in order: shape (len(texts), dimension), float32.

        Texts longer than the model reads are cut.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        ends = np.cumsum([len(row) for row in ids])
        starts = ends - [len(row) for row in ids]
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        embedded = self._words[np.concatenate(ids)]
        embedded += np.concatenate([self._places[: end - start] for start, end in spans])
        with self._threads.limit(limits=1):  # for a dozen tokens, to wake a second one takes longer than it saves
            encoded = self._encode(embedded, spans)
            vectors: Array = np.add.reduceat(encoded, starts)  # the direction of the sum is that of the mean
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def _layer(weights: Mapping[str, Array], place: str) -> Layer:
    return weights[f"{place}.weight"], weights[f"{place}.bias"]


def _block(weights: Mapping[str, Array], place: str) -> Block:
    def linear(part: str) -> Layer:
        weight, bias = _layer(weights, f"{place}.{part}")
        return weight.astype(np.float16).astype(np.float32), bias

    query, key, value = (linear(f"attention.self.{part}") for part in ("query", "key", "value"))
    return Block(
        (np.vstack([query[0], key[0], value[0]]), np.hstack([query[1], key[1], value[1]])),
        linear("attention.output.dense"),
        _layer(weights, f"{place}.attention.output.LayerNorm"),
        linear("intermediate.dense"),
        linear("output.dense"),
        _layer(weights, f"{place}.output.LayerNorm"),
    )


def numpy_encoder(bert: Bert) -> Encode:
    """The encoder for those who have nothing beside NumPy."""

    def linear(layer: Layer) -> Callable[[Array], Array]:
        turned, bias = np.ascontiguousarray(layer[0].T), layer[1]  # as BLAS reads it fastest for a few rows
        return lambda x: np.add(x @ turned, bias)

    def norm(x: Array, layer: Layer) -> Array:
        x = x - x.mean(-1, keepdims=True)
        variance = np.einsum("td,td->t", x, x)[:, None] / np.float32(x.shape[-1])
        x *= layer[0] / np.sqrt(variance + np.float32(bert.epsilon))
        x += layer[1]
        return x

    def mixed(projected: Array, spans: Spans) -> Array:
        parts = projected.reshape(len(projected), 3, bert.heads, -1)
        mixed = np.empty_like(parts[:, 0])
        for start, end in spans:
            query, key, value = parts[start:end].transpose(1, 2, 0, 3)  # each (heads, tokens, width)
            scores = query @ key.transpose(0, 2, 1)
            scores *= np.float32(query.shape[-1] ** -0.5)
            scores -= scores.max(-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(-1, keepdims=True)
            mixed[start:end] = (scores @ value).transpose(1, 0, 2)
        return mixed.reshape(len(projected), -1)

    blocks = [
        (block, linear(block.attend), linear(block.attended), linear(block.widen), linear(block.narrow))
        for block in bert.blocks
    ]

    def encode(x: Array, spans: Spans) -> Array:
        x = norm(x, bert.norm)
        for block, attend, attended, widen, narrow in blocks:
            x = norm(x + attended(mixed(attend(x), spans)), block.attended_norm)
            x = norm(x + narrow(_gelu(widen(x))), block.narrow_norm)
        return x

    return encode


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
