"""The seam between ideation and language models: one method to implement, conveniences on top.

A brainstorm is one prompt with many continuations, so that is the one thing a model must do: `stream`. It knows nothing
of briefs, ideas or Discord.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
Ending = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as chat templates know it."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens.

    `temperature` 0 takes the likeliest token. `top_k` 0 and `top_p` 1 switch those filters off. `stop` strings end the
    text and are not part of it. The same seed, model and messages give the same text, whatever else runs beside it.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    top_k: int = 50
    max_tokens: int = 120
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Continuation:
    """What one sequence adds to the shared messages, and how to sample its answer."""

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of streamed text of one continuation.

    `index` is the continuation's place in the request. The last piece of each has `ending` set (its text may be empty)
    and, where the model can tell, `log_likelihood`: the mean natural log probability of the answer's tokens under the
    unfiltered distribution at temperature 1.
    """

    index: int
    text: str
    ending: Ending | None = None
    log_likelihood: float | None = None


class LanguageModel(Protocol):
    """Anything that continues conversations."""

    @property
    def name(self) -> str:
        """What provenance records: enough to find the same weights again, e.g. "embedded SmolLM2-135M-Instruct"."""
        ...

    def stream(self, shared: Sequence[Message], continuations: Sequence[Continuation]) -> AsyncGenerator[Piece, None]:
        """Answer each continuation of the shared messages; pieces of all of them come interleaved, as they are made.

        Closing the iterator (aclose, or cancelling the task that reads it) stops the work within one step and frees
        what it held. Raises `LanguageError`.
        """
        ...

    async def load(self) -> None:
        """Get ready now rather than at the first `stream`; nothing to do when ready. Raises `LanguageError`."""
        ...

    async def close(self) -> None:
        """Stop what runs and free the model."""
        ...


async def complete(model: LanguageModel, messages: Sequence[Message], sampling: Sampling | None = None) -> str:
    """The whole answer to one conversation, as one string."""
    continuation = Continuation(tuple(messages[-1:]), sampling or Sampling())
    parts = [piece.text async for piece in model.stream(messages[:-1], [continuation])]
    return "".join(parts)
