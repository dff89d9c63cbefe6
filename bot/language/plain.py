"""The plain engine: transformers' own attention and cache, one request at a time, its answers in one padded batch.

It works for any causal language model and is what models run on that the fast engine does not know. Compared with
engine.py it computes the shared prompt once per answer, and answers wait for the request before them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.language.errors import LanguageError
from bot.language.loading import Loaded, out_of_memory
from bot.language.requests import Answer, Request
from bot.language.sampling import draw
from knowledge.crew import Crew, threads

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class _Batch:
    """The request at work: its unfinished answers, one row each."""

    request: Request
    answers: list[Answer]
    cache: Any  # transformers.DynamicCache
    attention_mask: torch.Tensor  # (rows, tokens so far), 0 where a row is padded on the left


class PlainEngine:
    """Runs requests one after the other. Everything is called on one thread."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._crew = Crew(threads() if loaded.device.type == "cpu" else 1)
        self._waiting: deque[Request] = deque()
        self._batch: _Batch | None = None

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._batch or self._waiting)

    def add(self, request: Request) -> None:
        """Take in a request."""
        self._waiting.append(request)

    def abandon(self, reason: LanguageError) -> None:
        """Drop every request, telling each why."""
        requests = [*([self._batch.request] if self._batch else []), *self._waiting]
        self._batch = None
        self._waiting.clear()
        for request in requests:
            request.deliver(reason)

    def step(self) -> None:
        """Compute one token of each answer of the request at work."""
        import torch

        if self._batch is not None and self._batch.request.cancelled.is_set():
            self._batch = None
        while self._waiting and self._waiting[0].cancelled.is_set():
            self._waiting.popleft()
        if self._batch is None and not self._waiting:
            return
        request = self._batch.request if self._batch else self._waiting.popleft()
        try:
            with torch.inference_mode(), self._crew:
                self._advance(request)
        except Exception as error:
            self._batch = None
            request.deliver(out_of_memory(error) or LanguageError(f"The language model failed: {error!r:.200}"))

    def _advance(self, request: Request) -> None:
        if self._batch is None:
            self._batch = self._begin(request)
            logits = self._prefill(self._batch)
        else:
            logits = self._decode(self._batch)
        answers = self._batch.answers
        drawn = draw(logits, [a.sampling for a in answers], [len(a.tokens) for a in answers])
        pieces = []
        for answer, token in zip(answers, drawn, strict=True):
            room = self._loaded.window - len(answer.prompt) - len(answer.tokens) - 1
            pieces.append(answer.accept(token, self._loaded.end_tokens, room))
        self._drop_ended(self._batch)
        if told := [piece for piece in pieces if piece]:
            request.deliver(told)

    def _begin(self, request: Request) -> _Batch:
        import torch
        from transformers import DynamicCache

        longest = max(len(answer.prompt) for answer in request.answers)
        mask = [[0] * (longest - len(a.prompt)) + [1] * len(a.prompt) for a in request.answers]
        cache = DynamicCache(config=self._loaded.model.config)
        return _Batch(request, list(request.answers), cache, torch.tensor(mask, device=self._loaded.device))

    def _prefill(self, batch: _Batch) -> torch.Tensor:
        """Logits (rows, vocabulary) after the prompts."""
        import torch

        longest = batch.attention_mask.shape[1]
        padded = [[0] * (longest - len(answer.prompt)) + answer.prompt for answer in batch.answers]
        return self._forward(torch.tensor(padded, device=self._loaded.device), batch)

    def _decode(self, batch: _Batch) -> torch.Tensor:
        """Logits (rows, vocabulary) after each row's last token."""
        import torch

        tokens = torch.tensor([[answer.tokens[-1]] for answer in batch.answers], device=self._loaded.device)
        batch.attention_mask = torch.cat([batch.attention_mask, torch.ones_like(tokens)], dim=1)
        return self._forward(tokens, batch)

    def _forward(self, tokens: torch.Tensor, batch: _Batch) -> torch.Tensor:
        positions = (batch.attention_mask.cumsum(dim=1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self._loaded.model(
            input_ids=tokens,
            attention_mask=batch.attention_mask,
            position_ids=positions,
            cache=batch.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _drop_ended(self, batch: _Batch) -> None:
        import torch

        keep = [row for row, answer in enumerate(batch.answers) if answer.ending is None]
        if not keep:
            self._batch = None
        elif len(keep) < len(batch.answers):
            rows = torch.tensor(keep, device=self._loaded.device)
            batch.answers = [batch.answers[row] for row in keep]
            batch.attention_mask = batch.attention_mask[rows]
            batch.cache.batch_select_indices(rows)
