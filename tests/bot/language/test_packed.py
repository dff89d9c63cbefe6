"""Packed linear layers: the same results, row by row, and plain ones where packing is not to be had."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bot.language.packed import pack_linears


def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(48, 96, bias=False), nn.Linear(96, 40))


def packable():
    return pack_linears(nn.Sequential(nn.Linear(8, 8))) == 1


@torch.inference_mode()
def test_results_are_those_of_plain_layers():
    plain, packed = layers(), layers()
    pack_linears(packed)
    for rows in (1, 2, 17, 64):
        x = torch.randn(1, rows, 48)
        torch.testing.assert_close(packed(x), plain(x))


@torch.inference_mode()
def test_a_row_does_not_depend_on_the_batch():
    if not packable():
        pytest.skip("this torch has no packed linear layers")
    packed = layers()
    pack_linears(packed)
    x = torch.randn(300, 48)
    whole = packed(x)
    for rows in (1, 2, 3, 5, 8, 16, 33, 128):
        assert torch.equal(packed(x[:rows]), whole[:rows])


@torch.inference_mode()
def test_a_layer_that_computes_something_else_is_not_used(monkeypatch):
    wrong = lambda x, *_: x.new_zeros(*x.shape[:-1], 96)  # noqa: E731
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", wrong, raising=False)
    plain = layers()
    assert pack_linears(plain) == 0
    assert all(type(layer) is nn.Linear for layer in plain)


@torch.inference_mode()
def test_without_the_operators_layers_stay_plain(monkeypatch):
    def missing(*_):
        raise AttributeError("no such operator")

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", missing, raising=False)
    plain = layers()
    assert pack_linears(plain) == 0
    assert plain(torch.randn(2, 48)).shape == (2, 40)
