"""The query embedder's encoder in PyTorch: the language model has loaded it, so a query need not do without.

Knows nothing of embedders: it is handed weights, and computes what knowledge/minilm.py does with NumPy, in half the
time: its layers are packed (packed.py), and the rest passes fewer times through memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.language.packed import Linear, make_linear

if TYPE_CHECKING:
    import torch

    from knowledge.minilm import Array, Bert, Encode, Layer, Spans


def torch_encoder(bert: Bert) -> Encode:
    """The encoder of these weights on the CPU. Raises RuntimeError where this PyTorch cannot compute it."""
    import torch
    from torch.nn.functional import gelu, scaled_dot_product_attention

    def linear(layer: Layer) -> Linear:
        return make_linear(torch.from_numpy(layer[0]), torch.from_numpy(layer[1]))

    def norm(x: torch.Tensor, layer: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        weight, bias = layer
        return torch.layer_norm(x, weight.shape, weight, bias, bert.epsilon)

    def mixed(projected: torch.Tensor, spans: Spans) -> torch.Tensor:
        # queries, keys, values: each (1, heads, tokens, width), a batch of one
        query, key, value = projected.view(len(projected), 3, 1, bert.heads, -1).permute(1, 2, 3, 0, 4).unbind()
        texts = [
            scaled_dot_product_attention(query[:, :, start:end], key[:, :, start:end], value[:, :, start:end])
            for start, end in spans
        ]
        return (texts[0] if len(texts) == 1 else torch.cat(texts, dim=2)).transpose(1, 2).reshape(len(projected), -1)

    def tensors(layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(layer[0]), torch.from_numpy(layer[1])

    first = tensors(bert.norm)
    linears = [
        [linear(one) for one in (block.attend, block.attended, block.widen, block.narrow)] for block in bert.blocks
    ]
    norms = [(tensors(block.attended_norm), tensors(block.narrow_norm)) for block in bert.blocks]

    def encode(embedded: Array, spans: Spans) -> Array:
        with torch.inference_mode():
            x = norm(torch.from_numpy(embedded), first)
            for (attend, attended, widen, narrow), (attended_norm, narrow_norm) in zip(linears, norms, strict=True):
                x = norm(attended(mixed(attend(x), spans)).add_(x), attended_norm)
                x = norm(narrow(gelu(widen(x))).add_(x), narrow_norm)
            encoded: Array = x.numpy()
        return encoded

    return encode
