"""Packed linear layers: the same results, row by row, and plain ones where packing is not to be had."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear

from bot.language import packed
from bot.language.packed import make_linear

OPERATORS = [(torch.ops.quantized, "linear_prepack_fp16"), (torch.ops.mkldnn, "_reorder_linear_weight")]


def layer(outputs=96, inputs=48):
    generator = torch.Generator().manual_seed(outputs)
    return torch.randn(outputs, inputs, generator=generator), torch.randn(outputs, generator=generator)


def missing(*_):
    raise AttributeError("no such operator")


@pytest.fixture(params=["first choice", "second choice", "plain"])
def make(request, monkeypatch):
    """make_linear where the fastest operators are there, where only the second ones are, and where none are."""
    for library, name in OPERATORS[: ["first choice", "second choice", "plain"].index(request.param)]:
        monkeypatch.setattr(library, name, missing, raising=False)
    return make_linear


@torch.inference_mode()
def test_results_are_those_of_a_plain_layer(make):
    weight, bias = layer()
    for rows in (1, 2, 17, 64):
        x = torch.randn(rows, 48)
        torch.testing.assert_close(make(weight)(x), linear(x, weight), rtol=1e-3, atol=2e-2)
        torch.testing.assert_close(make(weight, bias)(x), linear(x, weight, bias), rtol=1e-3, atol=2e-2)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("pack", "dtype"),
    [(packed._fbgemm, torch.float32), (packed._onednn, torch.float32), (packed._onednn, torch.bfloat16)],
)
@pytest.mark.parametrize(("outputs", "inputs"), [(96, 576), (96, 1536), (3072, 1536)])
def test_a_row_does_not_depend_on_the_batch(pack, dtype, outputs, inputs):
    weight, _ = layer(outputs, inputs)
    try:
        packed_layer = pack(weight.to(dtype), None)
    except (AttributeError, RuntimeError):
        pytest.skip("this torch has no such operator")
    x = torch.randn(300, inputs, dtype=dtype)
    whole = packed_layer(x)
    for rows in (*range(1, 65), 120, 121, 122, 127, 128, 151, 256):
        assert torch.equal(packed_layer(x[:rows]), whole[:rows])
        assert torch.equal(packed_layer(x[-rows:]), whole[-rows:])


@torch.inference_mode()
def test_onednn_is_given_few_counts_of_rows_and_not_many_more_than_there_are(monkeypatch):
    """It keeps code for every count that it has seen: half a megabyte for each, and each layer's shape."""
    given = []

    def compute(x, *_):
        given.append(len(x))
        return x

    monkeypatch.setattr(packed, "_past_the_wrapper", lambda _: compute)
    try:
        packed_layer = packed._onednn(torch.randn(96, 48, dtype=torch.bfloat16), None)
    except (AttributeError, RuntimeError):
        pytest.skip("this torch has no such operator")
    for rows in range(1, 241):
        assert len(packed_layer(torch.zeros(rows, 48))) == rows
    assert len(set(given)) <= 40
    assert all(rows <= taken <= max(2, 1.25 * rows) for rows, taken in enumerate(given, start=1))


@torch.inference_mode()
def test_a_layer_that_computes_something_else_is_not_used(monkeypatch, caplog):
    caplog.set_level("INFO", "bot.language")
    for pack in ("_fbgemm", "_onednn"):
        monkeypatch.setattr(packed, pack, lambda *_: lambda x: x.new_zeros(len(x), 96))
    weight, bias = layer()
    x = torch.randn(3, 48)
    assert torch.equal(make_linear(weight, bias)(x), linear(x, weight, bias))
    assert "results differ" in caplog.text


@torch.inference_mode()
def test_weights_beyond_float16_keep_their_values():
    weight, _ = layer()
    weight[5, 7] = 1e6
    x = torch.randn(3, 48)
    torch.testing.assert_close(make_linear(weight)(x), linear(x, weight), rtol=1e-4, atol=1.0)
