"""The forward pass of a decoder-only transformer over a flat batch, with nothing in it that a step does not need.

transformers' own modules are made for training, for any attention and for any cache, and spend much of a decode step in
Python. Here a step is a few tensor operations a layer: queries, keys and values come from one matrix, gate and up from
another. What is computed is the same, and the tests compare it family by family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

from bot.language.architecture import Architecture, LayerKind, Rope
from bot.language.attention import Segment
from bot.language.keyvalues import Shape
from bot.language.packed import Linear, make_linear

if TYPE_CHECKING:
    import torch

    Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One block: attention, then a gated feed-forward network, each between norms and added to what came in.

    Llama has one norm before each, Gemma 2 and 3 another one after each; Qwen 3 and Gemma 3 norm queries and keys.
    """

    kind: LayerKind
    before_attention: torch.Tensor
    qkv: Linear
    out: Linear
    before_feed: torch.Tensor
    gate_up: Linear
    down: Linear
    after_attention: torch.Tensor | None
    after_feed: torch.Tensor | None
    query_norm: torch.Tensor | None
    key_norm: torch.Tensor | None


class Decoder:
    """A model that reads a flat batch of tokens, whatever sequences they belong to, and gives logits where asked."""

    def __init__(self, architecture: Architecture, weights: Weights, device: torch.device, dtype: torch.dtype) -> None:
        """`weights` have transformers' names, and are needed no longer afterwards. Raises KeyError if one lacks."""
        import torch

        self._is = architecture
        self._device, self._dtype = device, dtype
        table = weights["model.embed_tokens.weight"]
        # looked up row by row: on the CPU it stays in the dtype of the file, and a copy lets the file's mapping go
        self._embedding = table.clone() if device.type == "cpu" else table.to(device, dtype)
        self._norm_weight = self._norm_of(weights, "model.norm")
        ropes = {kind.rope for kind in architecture.layers if kind.rope is not None}
        self._frequencies = {rope: torch.tensor(rope.frequencies, device=device) for rope in ropes}
        with ThreadPoolExecutor(torch.get_num_threads() if device.type == "cpu" else 1) as pool:
            # packing weights is most of the work of loading, and one thread's work each
            head = "lm_head" if "lm_head.weight" in weights else "model.embed_tokens"
            packed_head = pool.submit(self._linear, weights, head)
            kinds = architecture.layers
            self._layers = list(pool.map(self._layer, repeat(weights), range(len(kinds)), kinds))
            self._head = packed_head.result()
        self.shape = Shape(len(self._layers), architecture.key_heads, architecture.width, dtype, device)

    def forward(self, tokens: Sequence[int], step: Sequence[Segment], last: Sequence[int]) -> torch.Tensor | None:
        """Run the tokens of all `step`'s segments, in a row; keys and values go where the segments keep them.

        Returns the logits (len(last), vocabulary) after the tokens at the places `last`, None where none are wanted.
        """
        import torch

        x = self.hidden(torch.tensor(tokens, device=self._device), step)
        return self.logits(x[torch.tensor(last, device=self._device)]) if last else None

    def hidden(self, tokens: torch.Tensor, step: Sequence[Segment]) -> torch.Tensor:
        """The same for tokens in a tensor (tokens,): what the last layer makes of each, (tokens, size)."""
        import torch

        x = self._embedding[tokens].to(self._dtype)
        if self._is.embedding_scale != 1.0:
            x = x * torch.tensor(self._is.embedding_scale, dtype=self._dtype)
        rotations = self._rotations(torch.cat([segment.positions for segment in step]))
        for index, layer in enumerate(self._layers):
            y = self._attention(index, layer, self._norm(x, layer.before_attention), rotations, step)
            x = x + (y if layer.after_attention is None else self._norm(y, layer.after_attention))
            y = self._feed(layer, self._norm(x, layer.before_feed))
            x = x + (y if layer.after_feed is None else self._norm(y, layer.after_feed))
        return x

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Of each row of what `hidden` gave the logits of the next token: (rows, vocabulary)."""
        import torch

        logits = self._head(self._norm(hidden, self._norm_weight))
        cap = self._is.logit_cap
        return logits if cap is None else torch.tanh(logits / cap) * cap

    def _attention(
        self, index: int, layer: _Layer, x: torch.Tensor, rotations: Mapping[Rope, Any], step: Sequence[Segment]
    ) -> torch.Tensor:
        import torch

        heads, key_heads = self._is.heads, self._is.key_heads
        qkv = layer.qkv(x).view(x.shape[0], heads + 2 * key_heads, self._is.width)
        if layer.query_norm is not None and layer.key_norm is not None:
            query, key = qkv[:, :heads], qkv[:, heads : heads + key_heads]
            qkv[:, :heads], qkv[:, heads : heads + key_heads] = (
                self._norm(query, layer.query_norm),
                self._norm(key, layer.key_norm),
            )
        if layer.kind.rope is not None:
            _turn(qkv[:, : heads + key_heads], *rotations[layer.kind.rope])
        outs, start = [], 0
        for segment in step:
            mine = qkv[start : start + segment.tokens]
            start += segment.tokens
            outs.append(
                segment.attend(
                    index,
                    mine[:, :heads],
                    mine[:, heads:],
                    scale=self._is.scale,
                    cap=self._is.score_cap,
                    window=layer.kind.window,
                )
            )
        return layer.out(outs[0] if len(outs) == 1 else torch.cat(outs))

    def _feed(self, layer: _Layer, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import gelu, silu

        gate, up = layer.gate_up(x).chunk(2, dim=-1)
        gate = silu(gate) if self._is.activation == "silu" else gelu(gate, approximate="tanh")
        return layer.down(gate.mul_(up))

    def _norm(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Root mean square norm (Zhang and Sennrich 2019), computed in float32."""
        import torch

        wide = x if x.dtype == torch.float32 else x.float()
        root = torch.linalg.vecdot(wide, wide).add_(x.shape[-1] * self._is.epsilon).rsqrt_().unsqueeze_(-1)
        normed: torch.Tensor = (wide * root).mul_(weight)
        return normed if x.dtype == torch.float32 else normed.to(self._dtype)

    def _rotations(self, positions: torch.Tensor) -> dict[Rope, tuple[torch.Tensor, torch.Tensor]]:
        """For each encoding the cosines and sines that turn heads at these positions: (tokens, 1, width) each."""
        import torch

        at = positions.float()[:, None, None]
        made = {}
        for rope, frequencies in self._frequencies.items():
            angle = at * frequencies
            cosine, sine = angle.cos(), angle.sin()
            parts = torch.cat([cosine, cosine], dim=-1), torch.cat([-sine, sine], dim=-1)
            made[rope] = (parts[0].to(self._dtype), parts[1].to(self._dtype))
        return made

    def _layer(self, weights: Weights, index: int, kind: LayerKind) -> _Layer:
        name = f"model.layers.{index}"
        sandwich = f"{name}.post_feedforward_layernorm.weight" in weights
        between = "pre_feedforward_layernorm" if sandwich else "post_attention_layernorm"
        normed = f"{name}.self_attn.q_norm.weight" in weights
        return _Layer(
            kind=kind,
            before_attention=self._norm_of(weights, f"{name}.input_layernorm"),
            qkv=self._linear(weights, *(f"{name}.self_attn.{part}_proj" for part in "qkv")),
            out=self._linear(weights, f"{name}.self_attn.o_proj"),
            before_feed=self._norm_of(weights, f"{name}.{between}"),
            gate_up=self._linear(weights, f"{name}.mlp.gate_proj", f"{name}.mlp.up_proj"),
            down=self._linear(weights, f"{name}.mlp.down_proj"),
            after_attention=self._norm_of(weights, f"{name}.post_attention_layernorm") if sandwich else None,
            after_feed=self._norm_of(weights, f"{name}.post_feedforward_layernorm") if sandwich else None,
            query_norm=self._norm_of(weights, f"{name}.self_attn.q_norm") if normed else None,
            key_norm=self._norm_of(weights, f"{name}.self_attn.k_norm") if normed else None,
        )

    def _norm_of(self, weights: Weights, name: str) -> torch.Tensor:
        """The weights of a norm, times the root of how many they are: `_norm` divides by a sum, not by a mean."""
        weight = weights[f"{name}.weight"].to(self._device).float() + self._is.norm_offset
        return weight.mul(len(weight) ** 0.5)

    def _linear(self, weights: Weights, *names: str) -> Linear:
        """The layers of these names as one: their outputs in a row."""
        import torch

        matrices = [weights[f"{name}.weight"] for name in names]
        matrix = torch.cat(matrices) if len(matrices) > 1 else matrices[0]
        biases = [weights[f"{name}.bias"] for name in names if f"{name}.bias" in weights]
        bias = torch.cat(biases).to(self._device, self._dtype) if biases else None
        return make_linear(matrix.to(self._device, self._dtype), bias)


def _turn(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> None:
    """Rotate the pairs (i, i + width / 2) of the last dimension, in place. `sine` is negative in its first half."""
    import torch

    torch.addcmul(x * cosine, x.roll(x.shape[-1] // 2, dims=-1), sine, out=x)
