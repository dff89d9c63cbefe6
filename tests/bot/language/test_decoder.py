"""The forward pass against transformers' own, in every variety that a configuration can ask for."""

from __future__ import annotations

import pytest
import torch

from bot.language import attend as attention
from bot.language import packed
from bot.language.architecture import UnknownArchitecture, describe
from bot.language.attention import Segment
from bot.language.keyvalues import KeyValues

from . import tiny

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
VARIETIES = {
    **{family: (family, {}) for family in tiny.FAMILIES},
    "tied": ("llama", {"tie_word_embeddings": True}),
    "untied": ("llama", {"tie_word_embeddings": False}),
    "biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "every query its key": ("llama", {"num_key_value_heads": 4}),
    "one key for all": ("llama", {"num_key_value_heads": 1}),
    "linear positions": ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 100.0, "factor": 4.0}}),
    "Llama 3 positions": ("llama", {"rope_parameters": LLAMA3}),
    "windows in Qwen": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1},
    ),
    "gelu": ("llama", {"hidden_act": "gelu_pytorch_tanh"}),
}


def read(decoder, shared, owns):
    """Logits after every token: of a shared beginning in two pieces, then of all that go on, together."""
    prefix, own = KeyValues(decoder.shape, 1, len(shared)), KeyValues(decoder.shape, len(owns), 4)
    own.fit(len(owns), max(map(len, owns)))
    half = len(shared) // 2
    first = decoder.forward(shared[:half], [Segment(prefix, [0], [0], [half])], range(half))
    rest = len(shared) - half
    second = decoder.forward(shared[half:], [Segment(prefix, [0], [half], [rest])], range(rest))
    rows, counts = list(range(len(owns))), [len(tokens) - 1 for tokens in owns]
    segment = Segment(own, rows, [0] * len(owns), counts, prefix, len(shared))
    flat = [token for tokens in owns for token in tokens[:-1]]
    third = decoder.forward(flat, [segment], range(len(flat)))
    last = Segment(own, rows, counts, [1] * len(owns), prefix, len(shared))
    fourth = decoder.forward([tokens[-1] for tokens in owns], [last], rows)
    start = torch.cat([first, second])
    ends = [torch.cat([part, fourth[i : i + 1]]) for i, part in enumerate(third.split(counts))]
    return [torch.cat([start, end]) for end in ends]


@pytest.fixture(params=["fused", "plain"])
def kernels(request, monkeypatch):
    """The kernels that there are, and what is used where there are none."""
    if request.param == "plain":
        monkeypatch.setattr(attention, "_has_fused", lambda _: False)
        monkeypatch.setattr(packed, "_packings", lambda *_: [])


@torch.inference_mode()
def compare_with_transformers(variety: str, device: str, relative: float, absolute: float) -> None:
    """Logits on the device are transformers' own on the CPU; `absolute` is in parts of the largest."""
    family, changes = VARIETIES[variety]
    draw = torch.Generator().manual_seed(3)
    shared = torch.randint(0, 256, (50,), generator=draw).tolist()
    owns = [torch.randint(0, 256, (count,), generator=draw).tolist() for count in (9, 2, 17)]
    ours = read(tiny.loaded(family, device=device, **changes).model, shared, owns)
    reference = tiny.plain(family, **changes).model
    for own, found in zip(owns, ours, strict=True):
        expected = reference(torch.tensor([[*shared, *own]])).logits[0]
        torch.testing.assert_close(found.cpu(), expected, rtol=relative, atol=absolute * float(expected.abs().max()))


@pytest.mark.parametrize("variety", VARIETIES)
def test_logits_are_those_of_transformers(variety, kernels):
    compare_with_transformers(variety, "cpu", 1e-3, 2e-3)


@torch.inference_mode()
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_steady_step_computes_the_same_beside_rows_that_have_ended(family):
    """What graphs.py captures, computed here without a graph."""
    decoder = tiny.loaded(family).model
    draw = torch.Generator().manual_seed(5)
    prefix, own = KeyValues(decoder.shape, 1, 30), KeyValues(decoder.shape, 4, 20)
    shared, owns = (torch.randint(0, 256, (count,), generator=draw).tolist() for count in (30, 14))
    decoder.forward(shared, [Segment(prefix, [0], [0], [30])], [])
    decoder.forward(owns, [Segment(own, [0, 1, 2], [0, 0, 0], [3, 9, 2], prefix, 30)], [])
    step = Segment(own, [0, 1, 2], [3, 9, 2], [1, 1, 1], prefix, 30)
    assert step.decodes
    expected = decoder.forward([7, 8, 9], [step], [0, 1, 2])
    lengths = torch.zeros(4, dtype=torch.long)
    steady = step.steady(lengths)
    lengths.copy_(torch.tensor([3, 9, 2, 0]))  # read when it is run, not when it is made
    found = decoder.logits(decoder.hidden(torch.tensor([7, 8, 9, 0]), [steady]))
    torch.testing.assert_close(found[:3], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("family", "changes", "reason"),
    [
        ("olmo2", {}, "olmo2"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "dynamic"),
        ("llama", {"hidden_act": "relu"}, "relu"),
        ("gemma3_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
    ],
)
def test_what_is_not_known_is_refused_and_named(family, changes, reason):
    with pytest.raises(UnknownArchitecture, match=reason):
        describe(tiny.config(family, **changes).to_dict())


@torch.inference_mode()
def test_attention_in_parts_is_attention_over_all():
    draw = torch.Generator().manual_seed(1)
    query, keys, values = (torch.randn(2, 3, rows, 8, generator=draw) for rows in (5, 48, 48))
    mask = torch.zeros(2, 1, 5, 48).masked_fill_(torch.rand(2, 1, 5, 48, generator=draw) < 0.3, -torch.inf)
    whole, _ = attention.attend(query, keys, values, mask, 0.3)
    halves = [
        attention.attend(query, keys[:, :, part], values[:, :, part], mask[..., part], 0.3)
        for part in (slice(0, 16), slice(16, 48))
    ]
    torch.testing.assert_close(attention.joined(*halves), whole)
    far = [
        attention.attend(query * 1e3, keys[:, :, part], values[:, :, part], None, 1.0)
        for part in (slice(0, 16), slice(16, 48))
    ]
    assert torch.isfinite(attention.joined(*far)).all()


@torch.inference_mode()
@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3_text"])
def test_in_bf16_the_next_token_is_about_as_likely(family):
    """As a GPU runs it, and a CPU that multiplies bf16: only rounding may tell it from float32."""
    draw = torch.Generator().manual_seed(4)
    shared = torch.randint(0, 256, (40,), generator=draw).tolist()
    owns = [torch.randint(0, 256, (count,), generator=draw).tolist() for count in (6, 11)]
    exact, rounded = (read(tiny.loaded(family, dtype=dtype).model, shared, owns) for dtype in (None, torch.bfloat16))
    for one, other in zip(exact, rounded, strict=True):
        ours, theirs = one.log_softmax(-1), other.float().log_softmax(-1)
        divergence = (ours.exp() * (ours - theirs)).sum(-1)
        assert float(divergence.mean()) < 0.05
