"""The engine on a CUDA device, where there is one: the same code as on a CPU, with another kernel for attention."""

from __future__ import annotations

import random

import pytest
import torch

from bot.language import attend as attention
from bot.language.attention import Segment
from bot.language.base import Continuation, Message, Sampling
from bot.language.embedded import embedded_model
from bot.language.engine import Engine, Limits
from bot.language.errors import LanguageError
from bot.language.graphs import Graphs
from bot.language.keyvalues import KeyValues
from bot.language.local import make_engine

from . import tiny
from .test_decoder import VARIETIES, compare_with_transformers, read

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

SHARED = [Message("system", "Short, concrete ideas about the sea."), Message("user", "A brief.")]


def continuation(seed: int, **sampling) -> Continuation:
    text = "".join(random.Random(seed).choices("harbour lantern ferry", k=5 + seed % 30))
    return Continuation((Message("user", text),), Sampling(**{"seed": seed, "max_tokens": 12, **sampling}))


@pytest.fixture(params=["fused", "plain"])
def kernels(request, monkeypatch):
    """The kernel that there is, and what is used where there is none."""
    if request.param == "plain":
        monkeypatch.setattr(attention, "_has_fused", lambda _: False)


def test_attention_is_fused():
    assert attention._has_fused("cuda")


@pytest.mark.parametrize("variety", VARIETIES)
def test_logits_are_those_of_transformers(variety, kernels):
    compare_with_transformers(variety, "cuda", 5e-3, 5e-3)


@torch.inference_mode()
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_in_bf16_the_next_token_is_about_as_likely(family, kernels):
    draw = torch.Generator().manual_seed(4)
    shared = torch.randint(0, 256, (40,), generator=draw).tolist()
    owns = [torch.randint(0, 256, (count,), generator=draw).tolist() for count in (6, 11)]
    exact = read(tiny.loaded(family).model, shared, owns)
    rounded = read(tiny.loaded(family, torch.bfloat16, "cuda").model, shared, owns)
    for one, other in zip(exact, rounded, strict=True):
        ours, theirs = one.log_softmax(-1), other.cpu().float().log_softmax(-1)
        assert float((ours.exp() * (ours - theirs)).sum(-1).mean()) < 0.05


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_requests_that_join_and_leave_do_not_mix(family):
    """In float32, where rounding seldom decides which token is drawn: a CPU's engine says what each answer is."""
    alone = tiny.loaded(family)
    answers = {}
    for seed in range(12):
        request, told = tiny.request(alone, SHARED, [continuation(seed)])
        tiny.run(make_engine(alone, Limits()), request)
        answers[seed] = told.texts[0]
    beside = tiny.loaded(family, device="cuda")
    engine = make_engine(beside, Limits(places=4, chunk=16))
    assert isinstance(engine, Engine)
    told = []
    for first in range(0, 12, 3):
        request, heard = tiny.request(beside, SHARED, [continuation(seed) for seed in range(first, first + 3)])
        engine.add(request)
        told.append(heard)
        for _ in range(5):
            engine.step()
    while engine.busy:
        engine.step()
    found = {3 * i + index: text for i, heard in enumerate(told) for index, text in heard.texts.items()}
    assert len(found) == 12 and all(heard.error is None for heard in told)
    assert sum(found[seed] != answers[seed] for seed in answers) <= 1


@torch.inference_mode()
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_graph_computes_what_the_step_does(family):
    """Through sequences that end, and one that makes room for itself."""
    decoder = tiny.loaded(family, device="cuda").model
    graphs = Graphs(decoder)
    draw = torch.Generator().manual_seed(6)
    prefix = KeyValues(decoder.shape, 1, 30)
    shared = torch.randint(0, 256, (30,), generator=draw).tolist()
    decoder.forward(shared, [Segment(prefix, [0], [0], [30])], [])
    own, same = KeyValues(decoder.shape, 4, 16), KeyValues(decoder.shape, 4, 16)
    captured = 0
    for length in range(40):
        rows = list(range(3 if length < 25 else 2))
        for both in (own, same):
            both.fit(4, length + 1)
        tokens = torch.randint(0, 256, (len(rows),), generator=draw).tolist()
        counts, lengths = [1] * len(rows), [length] * len(rows)
        expected = decoder.forward(tokens, [Segment(own, rows, lengths, counts, prefix, 30)], rows)
        found = graphs.forward(tokens, [Segment(same, rows, lengths, counts, prefix, 30)], rows)
        torch.testing.assert_close(found, expected, rtol=5e-3, atol=5e-3)
        captured += graphs.captured
    assert captured > 30
    graphs.forget()
    assert not graphs.captured


def test_what_cannot_be_captured_is_computed_step_by_step(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no graphs today")

    loaded = tiny.loaded("llama", device="cuda")
    engine = make_engine(loaded, Limits())
    request, told = tiny.request(loaded, SHARED, [continuation(seed) for seed in range(3)])
    monkeypatch.setattr(torch.cuda.CUDAGraph, "capture_begin", refuse)
    tiny.run(engine, request)
    assert told.error is None and len(told.last) == 3


def test_thousands_of_requests_leave_no_memory_behind():
    loaded = tiny.loaded("llama", torch.bfloat16, "cuda")
    engine = make_engine(loaded, Limits(places=8, chunk=32, prefixes=1 << 16))
    assert isinstance(engine, Engine)
    draw, held = random.Random(0), []
    for number in range(2_000):
        shared = [Message("user", "word " * draw.randrange(1, 20))]
        answers = [
            continuation(draw.randrange(1 << 30), max_tokens=draw.randrange(1, 9))
            for _ in range(draw.choice((1, 2, 5)))
        ]
        request, _ = tiny.request(loaded, shared, answers)
        engine.add(request)
        engine.step()
        if draw.random() < 0.2:
            request.cancelled.set()
        if number % 5 == 0:
            while engine.busy:
                engine.step()
        if number in (500, 1_999):
            torch.cuda.synchronize()
            held.append(torch.cuda.memory_allocated())
    assert held[1] <= 1.05 * held[0] + (1 << 18)


def test_what_does_not_fit_is_refused_and_what_does_goes_on():
    loaded = tiny.loaded("llama", torch.bfloat16, "cuda")
    engine = make_engine(loaded, Limits())
    request, told = tiny.request(loaded, SHARED, [continuation(1)])
    engine._decoder.forward, whole = _out_of_memory, engine._decoder.forward
    tiny.run(engine, request)
    assert isinstance(told.error, LanguageError) and "memory" in str(told.error)
    engine._decoder.forward = whole
    request, told = tiny.request(loaded, SHARED, [continuation(1)])
    tiny.run(engine, request)
    assert told.error is None and told.texts


def _out_of_memory(*_):
    torch.empty(1 << 50, device="cuda")


async def test_the_embedded_model_answers(tmp_path_factory):
    model = embedded_model(tmp_path_factory.mktemp("models"), device="cuda")
    try:
        text = ""
        asked = [Message("system", "You help."), Message("user", "Name a colour.")]
        async for piece in model.stream(asked, [Continuation((), Sampling(temperature=0, max_tokens=20))]):
            text += piece.text
        assert text.strip()
    finally:
        await model.close()
