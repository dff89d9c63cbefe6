"""The remote model against a server on this machine that speaks the protocol, well and badly."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import aclosing

import pytest
from aiohttp import web

from bot.language.base import Continuation, Message, Sampling, complete
from bot.language.errors import LanguageError, ModelNotFound, ModelTimeout, ServerRefused, ServerUnreachable
from bot.language.remote import RemoteModel

KEY = "sk-secret-of-the-team"


class Server:
    """Answers chat completions with the words of `answer`; `behave` may do something else with a request."""

    def __init__(self):
        self.bodies, self.headers = [], []
        self.answer = "One idea about a lighthouse"
        self.finish = "stop"
        self.behave = None
        self.open, self.most_open = 0, 0
        self.broken_off = asyncio.Semaphore(0)

    async def complete(self, request):
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(request.headers)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            if self.behave and (response := await self.behave(request, body)) is not None:
                return response
            return await self.stream(request, [word + " " for word in self.answer.split(" ")], self.finish)
        except (asyncio.CancelledError, ConnectionError):
            self.broken_off.release()
            raise
        finally:
            self.open -= 1

    async def models(self, _request):
        return web.json_response({"object": "list", "data": []})

    async def stream(self, request, words, finish, pause=0.0):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in words:
            await self.send(response, delta={"content": word}, logprobs={"content": [self.logprob(word)]})
            await asyncio.sleep(pause)
        if finish:
            await self.send(response, delta={}, finish_reason=finish)
            await self.send(response, choices=[])
            await response.write(b"data: [DONE]\n\n")
        return response

    @staticmethod
    def logprob(word):
        return {"token": word, "logprob": -0.5, "bytes": None, "top_logprobs": []}

    @staticmethod
    async def send(response, choices=None, **choice):
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk["choices"] = [{"index": 0, **choice}] if choices is None else choices
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


def refuse(status, message):
    async def behave(_request, _body):
        return web.json_response({"error": {"message": message, "type": "x", "code": None}}, status=status)

    return behave


@pytest.fixture
async def server():
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    app.router.add_get("/v1/models", server.models)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


@pytest.fixture
async def model(server):
    model = RemoteModel(server.address, "m", key=KEY, timeout=20)
    yield model
    await model.close()


ASK = [Message("user", "An idea, please.")]


async def gather(model, count, **sampling):
    texts, last = {}, {}
    shared = [Message("system", "Be brief.")]
    continuations = [Continuation((Message("user", str(i)),), Sampling(seed=i, **sampling)) for i in range(count)]
    async for piece in model.stream(shared, continuations):
        texts[piece.index] = texts.get(piece.index, "") + piece.text
        if piece.ending:
            last[piece.index] = piece
    return texts, last


async def test_continuations_are_completions_with_their_seeds_and_sampling(server, model):
    texts, last = await gather(model, 3, temperature=0.7, top_p=0.9, top_k=40, max_tokens=33, stop=("END",))
    assert set(texts.values()) == {server.answer + " "} and len(texts) == 3
    assert {piece.ending for piece in last.values()} == {"stop"}
    assert {piece.log_likelihood for piece in last.values()} == {-0.5}
    assert sorted(body["seed"] for body in server.bodies) == [0, 1, 2]
    body = min(server.bodies, key=lambda body: body["seed"])  # they come at once, in any order
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "0"}]
    assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (0.7, 0.9, 40, 33)
    assert body["stop"] == ["END"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_a_length_ending_is_told(server, model):
    server.finish = "length"
    _, last = await gather(model, 1)
    assert last[0].ending == "length"


async def test_stop_strings_hold_even_if_the_server_ignores_them(server, model):
    server.answer = "Before <END> after"
    texts, last = await gather(model, 1, stop=("a", "b", "c", "d", "<END>")[-1:])
    assert texts[0] == "Before " and last[0].ending == "stop"


async def test_no_more_than_so_many_at_a_time(server):
    model = RemoteModel(server.address, "m", timeout=20, at_once=2)

    async def slowly(request, _body):
        return await server.stream(request, ["a", "b"], "stop", pause=0.02)

    server.behave = slowly
    texts, _ = await gather(model, 7)
    assert len(texts) == 7 and server.most_open == 2
    await model.close()


async def test_a_server_that_knows_fewer_parameters_is_asked_for_less(server, model):
    async def picky(_request, body):
        if "top_k" in body or "seed" in body or "logprobs" in body:
            return await refuse(400, "Unrecognized request argument supplied: top_k")(None, None)
        return None

    server.behave = picky
    assert await complete(model, ASK) == server.answer + " "
    assert await complete(model, ASK) == server.answer + " "
    assert len(server.bodies) == 3  # it was learnt


async def test_closing_the_iterator_ends_the_requests(server, model):
    async def endless(request, _body):
        return await server.stream(request, ["word"] * 10_000, "stop", pause=0.01)

    server.behave = endless
    continuations = [Continuation((Message("user", str(i)),)) for i in range(3)]
    async with aclosing(model.stream(ASK, continuations)) as pieces:
        async for piece in pieces:
            if piece.index == 2:
                break
    async with asyncio.timeout(10):
        for _ in continuations:
            await server.broken_off.acquire()


@pytest.mark.parametrize(
    ("status", "said", "error", "shown"),
    [
        (401, f"Incorrect API key provided: {KEY}", ServerRefused, "does not accept the key"),
        (403, "Not for you", ServerRefused, "Not for you"),
        (404, "The model `m` does not exist", ModelNotFound, "has no model m"),
        (400, "Too many\ntokens", ServerRefused, "Too many tokens"),
        (500, "CUDA out of memory", ServerRefused, "500: CUDA out of memory"),
    ],
)
async def test_what_the_server_refuses_is_one_line_without_the_key(server, model, status, said, error, shown):
    server.behave = refuse(status, said)
    with pytest.raises(error) as caught:
        await complete(model, ASK)
    line = str(caught.value)
    assert shown in line and "\n" not in line and KEY not in line and len(line) < 400


async def test_an_error_in_the_stream_is_told(server, model):
    async def fails(request, _body):
        response = await server.stream(request, ["a"], None)
        await response.write(b'data: {"error": {"message": "out of memory"}}\n\n')
        return response

    server.behave = fails
    with pytest.raises(ServerRefused, match="out of memory"):
        await complete(model, ASK)


async def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = RemoteModel(f"http://user:password@127.0.0.1:{port}/v1", "m", timeout=10)
    for attempt in (complete(model, ASK), model.load()):
        with pytest.raises(ServerUnreachable) as caught:
            await attempt
        assert f"127.0.0.1:{port}" in str(caught.value) and "password" not in str(caught.value)
    assert "password" not in model.name
    await model.close()


async def test_a_slow_server_runs_out_of_time(server):
    model = RemoteModel(server.address, "m", timeout=0.3)

    async def slow(request, _body):
        return await server.stream(request, ["a"] * 1000, "stop", pause=0.05)

    server.behave = slow
    with pytest.raises(ModelTimeout, match=r"0\.3 s"):
        await complete(model, ASK)
    await model.close()


async def test_a_connection_that_breaks_off(server, model):
    async def breaks(request, _body):
        await server.stream(request, ["half an "], None)
        request.transport.abort()
        await asyncio.sleep(1)

    server.behave = breaks
    with pytest.raises(ServerUnreachable, match="broke off"):
        await complete(model, ASK)


async def test_an_answer_without_an_end(server, model):
    server.finish = None
    with pytest.raises(ServerUnreachable, match="broke off"):
        await complete(model, ASK)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"data: {nonsense\n\n", b"data: [1, 2]\n\n", b""])
async def test_something_else_at_the_address(server, model, body):
    async def other(_request, _body):
        return web.Response(body=body, content_type="text/event-stream")

    server.behave = other
    with pytest.raises((ServerRefused, ServerUnreachable)) as caught:
        await complete(model, ASK)
    assert "\n" not in str(caught.value)


async def test_load_asks_for_the_models(server, model):
    await model.load()
    with pytest.raises(LanguageError):
        await RemoteModel("http://127.0.0.1:1/v1", "m", timeout=5).load()
