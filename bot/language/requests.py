"""A request while it runs: its answers, each growing token by token, and the way their pieces leave.

Engines (engine.py, plain.py) decide what is computed when; what an answer is, and when it is over, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

from bot.language.base import Continuation, Ending, Message, Piece, Sampling
from bot.language.chat import ChatTemplate, common_prefix
from bot.language.errors import LanguageError, PromptTooLong
from bot.language.sampling import Draw
from bot.language.text import TextStream

Deliver = Callable[[list[Piece] | LanguageError], None]
"""Takes the pieces of one step, or the error that ends the request. Called on the engine's thread; must not block."""


@dataclass(slots=True, eq=False)
class Answer:
    """One continuation's answer: where it is in the request, what it continues and what it is so far."""

    index: int
    prompt: list[int]
    sampling: Sampling
    text: TextStream
    tokens: list[int] = field(default_factory=list)
    log_likelihood: float = 0.0  # summed over `tokens`
    ending: Ending | None = None

    def accept(self, drawn: Draw, end_tokens: frozenset[int], room: int) -> Piece | None:
        """Add a drawn token and return the piece of text that it completes, if any.

        `end_tokens` end an answer and are no part of it; `room` is how many tokens the model's window has left.
        """
        self.tokens.append(drawn.token)
        self.log_likelihood += drawn.log_probability
        if drawn.token in end_tokens:
            return self._end("stop", self.text.finish())
        text = self.text.push(drawn.token)
        if self.text.stopped:
            return self._end("stop", text)
        if len(self.tokens) >= self.sampling.max_tokens or room <= 0:
            return self._end("length", text + self.text.finish())
        return Piece(self.index, text) if text else None

    def _end(self, ending: Ending, text: str) -> Piece:
        self.ending = ending
        if self.text.stopped:
            self.ending = "stop"
        return Piece(self.index, text, ending=self.ending, log_likelihood=self.log_likelihood / len(self.tokens))


@dataclass(slots=True, eq=False)
class Request:
    """What one call of `stream` asked for.

    `cancelled` may be set by any thread; the engine looks at it before each step and then forgets the request.
    `shared` counts the tokens that all prompts begin with; each prompt has at least one more.
    """

    answers: list[Answer]
    shared: int
    deliver: Deliver
    cancelled: Event


def make_request(
    template: ChatTemplate,
    shared: Sequence[Message],
    continuations: Sequence[Continuation],
    window: int,
    deliver: Deliver,
    cancelled: Event,
) -> Request:
    """Write the prompts of all continuations.

    `window` is how many tokens the model can see. Raises PromptTooLong when a prompt leaves no room in it for an
    answer, and LanguageError when the model's template refuses the messages.
    """
    answers = []
    for index, continuation in enumerate(continuations):
        prompt = template.prompt([*shared, *continuation.messages])
        if len(prompt) >= window:
            raise PromptTooLong(
                f"The text is too long for this model: {len(prompt)} tokens, and it reads {window}. Shorten it."
            )
        sampling = continuation.sampling
        answers.append(Answer(index, prompt, sampling, TextStream(template.text, sampling.stop)))
    prompts = [answer.prompt for answer in answers]
    # in dictionary order, what the first and the last share is shared by all between them
    shared_tokens = common_prefix(min(prompts), max(prompts))
    return Request(answers, min(shared_tokens, min(map(len, prompts)) - 1), deliver, cancelled)
