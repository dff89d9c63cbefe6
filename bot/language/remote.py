"""A language model behind any server that speaks OpenAI's chat protocol: vLLM, llama.cpp, Ollama, OpenAI itself.

Each continuation is one streamed chat completion, a bounded number of them at a time. Such servers keep the prompts
that they have read, so what continuations share is read once there, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from bot.language.base import Continuation, Ending, Message, Piece, Sampling
from bot.language.errors import LanguageError, ModelNotFound, ModelTimeout, ServerRefused, ServerUnreachable
from bot.language.text import StopFilter

_STOPS = 4
"""How many stop strings the protocol allows. All of them are watched for here as well."""


class RemoteModel:
    """A model on a server, behind the LanguageModel interface."""

    def __init__(
        self, base_url: str, model: str, *, key: str | None = None, timeout: float = 120.0, at_once: int = 8
    ) -> None:
        """`base_url` usually ends in /v1. `timeout` is how many seconds a request may take from its start to its last
        piece; `at_once` is how many completions may run on the server at a time.
        """
        parts = urlsplit(base_url)
        self._address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without a password in it
        self.name = f"{model} at {self._address}"
        self._base_url, self._model, self._key, self._timeout = base_url, model, key, timeout
        self._places = asyncio.Semaphore(at_once)
        self._extras = True  # whether the server takes parameters that not every server knows; learnt from its answers
        self._client: Any = None

    async def load(self) -> None:
        """Ask the server whether it is there and takes the key. Raises ServerUnreachable and ServerRefused."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._connected().models.list()
        except Exception as error:
            refusal = self._translated(error)
            if not isinstance(refusal, ModelNotFound):  # a server without a list of models may still answer
                raise refusal from error

    async def stream(
        self, shared: Sequence[Message], continuations: Sequence[Continuation]
    ) -> AsyncGenerator[Piece, None]:
        """See LanguageModel.stream. Raises ServerUnreachable, ServerRefused, ModelNotFound and ModelTimeout."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        outbox: asyncio.Queue[Piece | LanguageError] = asyncio.Queue()

        async def answer(index: int, messages: list[Message], sampling: Sampling) -> None:
            try:
                async with self._places, asyncio.timeout_at(deadline):
                    async for piece in self._answer(index, messages, sampling):
                        outbox.put_nowait(piece)
            except Exception as error:
                outbox.put_nowait(self._translated(error))

        tasks = [
            asyncio.create_task(answer(index, [*shared, *one.messages], one.sampling))
            for index, one in enumerate(continuations)
        ]
        unfinished = len(tasks)
        try:
            while unfinished:
                news = await outbox.get()
                if isinstance(news, LanguageError):
                    raise news
                unfinished -= news.ending is not None
                yield news
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> Any:
        if self._client is None:
            from openai import AsyncOpenAI

            # servers on one's own machine want no key, but the library insists on one
            key = self._key or "none"
            self._client = AsyncOpenAI(base_url=self._base_url, api_key=key, timeout=self._timeout, max_retries=1)
        return self._client

    async def _answer(self, index: int, messages: list[Message], sampling: Sampling) -> AsyncIterator[Piece]:
        """The pieces of one answer; the last one has its ending."""
        from openai import APIConnectionError, APITimeoutError

        text, ending = StopFilter(sampling.stop), None
        log_probabilities: list[float] = []
        broken = ServerUnreachable(f"The server at {self._address} broke off in the middle of an answer. Try again.")
        async with await self._open(messages, sampling) as chunks:
            try:
                async for chunk in chunks:
                    for choice in chunk.choices[:1]:  # none in a chunk that only tells the usage
                        if choice.logprobs and choice.logprobs.content:
                            log_probabilities += [token.logprob for token in choice.logprobs.content]
                        if told := text.push(choice.delta.content or ""):
                            yield Piece(index, told)
                        ending = choice.finish_reason or ending
                    if text.stopped:
                        break
            except APITimeoutError:
                raise
            except APIConnectionError as error:
                raise broken from error
        if ending is None and not text.stopped:
            raise broken
        mean = sum(log_probabilities) / len(log_probabilities) if log_probabilities else None
        how: Ending = "length" if ending == "length" and not text.stopped else "stop"
        yield Piece(index, text.finish(), ending=how, log_likelihood=mean)

    async def _open(self, messages: list[Message], sampling: Sampling) -> Any:
        """Begin a completion. A server that refuses the parameters that not all know is asked again without them."""
        from openai import BadRequestError, UnprocessableEntityError

        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop[:_STOPS])
        create = self._connected().chat.completions.create
        if self._extras:
            try:
                return await create(
                    **body, seed=sampling.seed, logprobs=True, extra_body={"top_k": sampling.top_k or -1}
                )
            except (BadRequestError, UnprocessableEntityError):
                opened = await create(**body)
                self._extras = False  # it was them
                return opened
        return await create(**body)

    def _translated(self, error: Exception) -> LanguageError:
        """The error to show."""
        import openai

        at = f"The server at {self._address}"
        said = self._one_line(error)
        match error:
            case LanguageError():
                return error
            case TimeoutError() | openai.APITimeoutError():
                return ModelTimeout(f"{at} took longer than {self._timeout:g} s. Try again, or allow it more time.")
            case openai.APIConnectionError():
                return ServerUnreachable(f"Nothing answers at {self._address}. Start the server or check the address.")
            case openai.NotFoundError():
                return ModelNotFound(f"{at} has no model {self._model}, or its address wants /v1 at the end: {said}")
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return ServerRefused(f"{at} does not accept the key: {said}")
            case openai.APIStatusError():
                return ServerRefused(f"{at} answered {error.status_code}: {said}")
            case openai.APIError():
                return ServerRefused(f"{at} reported an error: {said}")
        return ServerRefused(f"{at} answers, but not as an OpenAI-compatible server does. Check the address.")

    def _one_line(self, error: Exception) -> str:
        """What the server said, short, without line breaks and control characters, and never with the key."""
        body = getattr(error, "body", None)
        inner = body.get("message") if isinstance(body, dict) else None
        text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(inner or error))
        return (text.replace(self._key, "…") if self._key else text).strip()[:200]
