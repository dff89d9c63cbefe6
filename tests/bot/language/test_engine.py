"""The engine against plain transformers, and against itself: what runs beside a request must not show in it."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.language.base import Continuation, Message, Sampling
from bot.language.decoder import Decoder
from bot.language.engine import Engine, Limits
from bot.language.errors import LanguageError, ModelTooLarge
from bot.language.local import make_engine
from bot.language.plain import PlainEngine
from bot.language.prefixes import PrefixCache

from . import tiny

SMALL = Limits(places=4, chunk=16, memory=1 << 22, prefixes=1 << 20)
WORDS = "harbour lantern ferry salt gull rope tide fog bell anchor mast quay".split()


def continuation(seed: int, words: int = 6, **sampling) -> Continuation:
    draw = random.Random(seed)
    text = " ".join(draw.choice(WORDS) for _ in range(words))
    return Continuation((Message("user", text),), Sampling(**{"seed": seed, "max_tokens": 12, **sampling}))


SHARED = [Message("system", "Short, concrete ideas about the sea."), Message("user", "A brief.")]


@pytest.fixture(scope="module")
def llama():
    return tiny.loaded("llama")


@pytest.fixture(scope="module")
def solo(llama):
    """Answers of a request that has an engine of its own."""
    engine = make_engine(llama, Limits())
    assert isinstance(engine, Engine)

    def texts(shared, continuations):
        request, told = tiny.request(llama, shared, continuations)
        tiny.run(engine, request)
        assert told.error is None
        return told

    return texts


@pytest.fixture
def seen(monkeypatch):
    """How many tokens each forward pass has read."""
    counts = []
    forward = Decoder.forward
    monkeypatch.setattr(
        Decoder, "forward", lambda self, tokens, *rest: counts.append(len(tokens)) or forward(self, tokens, *rest)
    )
    return counts


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_engine_computes_what_transformers_computes(family):
    continuations = [continuation(1), continuation(2, words=11), continuation(3, temperature=0, max_tokens=20)]
    reference = tiny.plain(family)
    plain_request, plain = tiny.request(reference, SHARED, continuations)
    tiny.run(PlainEngine(reference), plain_request)
    loaded = tiny.loaded(family)
    engine = make_engine(loaded, Limits(places=2, chunk=16))
    assert isinstance(engine, Engine)
    request, fast = tiny.request(loaded, SHARED, continuations)
    tiny.run(engine, request)
    assert plain.error is None and fast.error is None
    assert fast.texts == plain.texts
    for index, piece in plain.last.items():
        assert fast.last[index].ending == piece.ending
        assert fast.last[index].log_likelihood == pytest.approx(piece.log_likelihood, abs=1e-3)


def test_what_prompts_share_is_read_once(llama, seen):
    request, _ = tiny.request(llama, SHARED, [continuation(seed, max_tokens=1) for seed in range(8)])
    tiny.run(make_engine(llama, Limits(chunk=4096)), request)
    own = sum(len(answer.prompt) - request.shared for answer in request.answers)
    assert request.shared > 60
    assert sum(seen) == request.shared + own


def test_the_next_request_that_begins_alike_reads_only_the_rest(llama, seen):
    engine = make_engine(llama, Limits(chunk=4096))
    first, _ = tiny.request(llama, SHARED, [continuation(1), continuation(2)])
    tiny.run(engine, first)
    seen.clear()
    second, told = tiny.request(llama, SHARED, [continuation(3, max_tokens=1)])
    tiny.run(engine, second)
    assert len(second.answers[0].prompt) - first.shared >= sum(seen) > 0
    assert told.last[0].ending


@st.composite
def schedules(draw):
    """Requests with the step at which each joins and, for some, the step at which it is cancelled."""
    count = draw(st.integers(2, 5))
    return [
        {
            "shared": draw(st.sampled_from([SHARED, SHARED[:1], [Message("system", "Something else entirely.")]])),
            "continuations": [
                continuation(
                    draw(st.integers(0, 99)), words=draw(st.integers(1, 12)), max_tokens=draw(st.integers(1, 15))
                )
                for _ in range(draw(st.integers(1, 6)))
            ],
            "joins": draw(st.integers(0, 12)),
            "leaves": draw(st.none() | st.integers(1, 25)),
        }
        for _ in range(count)
    ]


@settings(max_examples=12, deadline=None)
@given(schedule=schedules())
def test_joining_and_leaving_never_mix_sequences(llama, solo, schedule):
    engine = make_engine(llama, SMALL)
    running = []
    step = 0
    while engine.busy or len(running) < len(schedule):
        for plan in schedule:
            if plan["joins"] == step:
                request, told = tiny.request(llama, plan["shared"], plan["continuations"])
                engine.add(request)
                running.append((plan, request, told))
        for plan, request, _ in running:
            if plan["leaves"] is not None and step >= plan["joins"] + plan["leaves"]:
                request.cancelled.set()
        engine.step()
        step += 1
    for plan, request, told in running:
        alone = solo(plan["shared"], plan["continuations"])
        assert told.error is None
        for index, text in told.texts.items():
            assert alone.texts[index].startswith(text)
        if not request.cancelled.is_set():
            assert told.texts == alone.texts
            assert told.last.keys() == alone.last.keys()


def test_cancelling_frees_everything_at_the_next_step(llama):
    engine = make_engine(llama, Limits(prefixes=0))
    request, told = tiny.request(llama, SHARED, [continuation(seed, max_tokens=500) for seed in range(6)])
    engine.add(request)
    for _ in range(12):
        engine.step()
    assert engine.held > 0 and engine.busy
    request.cancelled.set()
    engine.step()
    assert engine.held == 0 and not engine.busy
    assert told.error is None


def test_many_requests_of_random_shapes_leave_nothing_behind(llama):
    engine = make_engine(llama, SMALL)
    draw = random.Random(0)
    tolds = []
    for number in range(80):
        continuations = [continuation(number + i, max_tokens=draw.randint(1, 6)) for i in range(draw.randint(1, 5))]
        request, told = tiny.request(llama, [Message("system", f"Number {number}.")], continuations)
        tolds.append((request, told))
        engine.add(request)
        for _ in range(draw.randint(0, 6)):
            engine.step()
        if draw.random() < 0.2:
            request.cancelled.set()
        assert engine.held <= SMALL.memory + SMALL.prefixes
    while engine.busy:
        engine.step()
    assert engine.held <= SMALL.prefixes
    for request, told in tolds:
        assert request.cancelled.is_set() or len(told.last) == len(request.answers)


def test_a_small_request_does_not_wait_for_a_big_one(llama):
    engine = make_engine(llama, Limits(places=8, chunk=512))
    big, _ = tiny.request(llama, SHARED, [continuation(seed, max_tokens=200) for seed in range(40)])
    engine.add(big)
    for _ in range(5):
        engine.step()
    small, told = tiny.request(llama, SHARED, [continuation(7, max_tokens=5)])
    engine.add(small)
    for _ in range(12):
        engine.step()
    assert 0 in told.last
    assert engine.busy


def test_the_first_answers_run_ahead_of_the_others_and_are_the_same(llama, solo):
    continuations = [continuation(seed, max_tokens=10) for seed in range(6)]
    engine = make_engine(llama, Limits(chunk=4096, ahead=2))
    request, told = tiny.request(llama, SHARED, continuations)
    engine.add(request)
    while not told.last:
        engine.step()
        assert told.texts.keys() <= {0, 1}
    while engine.busy:
        engine.step()
    assert told.texts == solo(SHARED, continuations).texts


def test_two_big_requests_share_the_places_evenly(llama):
    engine = make_engine(llama, Limits(places=8, chunk=4096))
    one, told_one = tiny.request(llama, SHARED, [continuation(seed, max_tokens=10) for seed in range(24)])
    two, told_two = tiny.request(llama, SHARED, [continuation(seed, max_tokens=10) for seed in range(24)])
    engine.add(one)
    engine.add(two)
    for _ in range(40):
        engine.step()
        assert abs(len(told_one.last) - len(told_two.last)) <= 12


def test_memory_bounds_how_many_run_at_a_time(llama):
    request, told = tiny.request(llama, SHARED, [continuation(seed, max_tokens=8) for seed in range(10)])
    tight = make_engine(llama, Limits(memory=1))
    tiny.run(tight, request)
    assert len(told.last) == 10  # one after the other, but all of them


def test_prefixes_that_do_not_fit_wait_for_room(llama):
    engine = make_engine(llama, Limits(memory=40_000, prefixes=0))
    pairs = [
        tiny.request(llama, [Message("system", f"{n}" + "x" * 100)], [continuation(n, words=1, max_tokens=3)])
        for n in range(12)
    ]
    for request, _ in pairs:
        engine.add(request)
    while engine.busy:
        engine.step()
        assert engine.held <= 160_000
    assert all(told.last for _, told in pairs)


def test_a_short_prompt_does_not_wait_for_a_long_one(llama):
    engine = make_engine(llama, Limits(chunk=16))
    long, _ = tiny.request(llama, [Message("system", "x" * 900)], [continuation(1)])
    short, told = tiny.request(llama, [Message("user", "Hi")], [continuation(2, words=1, max_tokens=3)])
    engine.add(long)
    engine.step()
    engine.add(short)
    for _ in range(14):
        engine.step()
    assert told.last and engine.busy


def test_an_answer_ends_where_the_window_does(llama):
    request, told = tiny.request(llama, [Message("system", "x" * 960)], [continuation(1, words=1, max_tokens=500)])
    tiny.run(make_engine(llama), request)
    answer = request.answers[0]
    assert told.last[0].ending in {"length", "stop"}
    assert len(answer.prompt) + len(answer.tokens) <= 1024


def test_a_failure_ends_the_requests_it_met_and_not_the_engine(llama, monkeypatch):
    import torch

    engine = make_engine(llama, Limits())
    request, told = tiny.request(llama, SHARED, [continuation(1)])
    with monkeypatch.context() as broken:
        broken.setattr(type(llama.model), "forward", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        tiny.run(engine, request)
    assert isinstance(told.error, ModelTooLarge)
    with monkeypatch.context() as broken:
        failure = torch.OutOfMemoryError("out")
        reference = tiny.plain("llama")
        broken.setattr(type(reference.model), "forward", lambda *_, **__: (_ for _ in ()).throw(failure))
        request, told = tiny.request(reference, SHARED, [continuation(1)])
        tiny.run(PlainEngine(reference), request)
    assert isinstance(told.error, ModelTooLarge)
    request, told = tiny.request(llama, SHARED, [continuation(1)])
    tiny.run(engine, request)
    assert told.error is None and told.last


def test_abandoning_tells_everybody(llama):
    for engine in (make_engine(llama, SMALL), PlainEngine(tiny.plain("llama"))):
        pairs = [tiny.request(llama, SHARED, [continuation(seed)]) for seed in range(3)]
        for request, _ in pairs:
            engine.add(request)
        engine.step()
        engine.abandon(LanguageError("closing"))
        assert not engine.busy
        assert all(str(told.error) == "closing" for _, told in pairs)


def test_the_prefix_cache_stays_within_its_budget():
    import torch

    from bot.language.keyvalues import KeyValues, Shape

    shape = Shape(1, 1, 4, torch.float32, torch.device("cpu"))
    one = KeyValues(shape, 1, 16)
    cache = PrefixCache(budget=2 * one.bytes)
    for first in range(3):
        cache.keep((first, 1, 2), KeyValues(shape, 1, 16))
        assert cache.held <= 2 * one.bytes
    assert cache.longest((0, 1, 2)) == (0, None)
    assert cache.longest((2, 1, 9))[0] == 2
    cache.longest((1, 1, 2))  # used last: the other one goes
    cache.keep((5, 1, 2), KeyValues(shape, 1, 16))
    assert cache.longest((1, 1, 2, 3))[0] == 3
    assert cache.longest((2, 1, 2))[0] == 0
    cache.keep((7,), KeyValues(shape, 1, 160))
    assert cache.longest((7,))[0] == 0


def test_answers_do_not_depend_on_how_many_threads_there_are():
    loaded = tiny.loaded("llama", torch.bfloat16)
    found, before = [], torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        asked = [Continuation((), Sampling(seed=seed, max_tokens=40)) for seed in range(6)]
        request, told = tiny.request(loaded, [Message("user", "harbour lantern " * 9)], asked)
        tiny.run(make_engine(loaded), request)
        found.append(told.texts)
    torch.set_num_threads(before)
    assert found[0] == found[1] and len(found[0]) == 6
