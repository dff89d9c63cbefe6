"""The referee: how surprising a text is to the embedded model as it came, without any tuning of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.language.conversion import Progress, Recipe, converted, silent
from bot.language.embedded import GGUF_SHA256, find_gguf
from bot.language.loading import load_plain

BATCH = 20


def untuned(models_dir: Path, progress: Progress = silent) -> Path:
    """The folder with the embedded model without an adapter; converted at the first call (half a minute)."""
    return converted(Recipe(find_gguf(), GGUF_SHA256, GGUF_SHA256), models_dir, progress)


class UntunedReferee:
    """Callable: texts to mean negative log likelihood in nats a token, each text alone after the start token."""

    def __init__(self, models_dir: Path, device: str = "auto", progress: Progress = silent) -> None:
        """Load the model. Raises `LanguageError`."""
        from transformers import AutoTokenizer

        folder = untuned(models_dir, progress)
        self._model = load_plain(folder, device)
        self._device = self._model.device
        self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        self._start = self._tokenizer.bos_token_id

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """One value a text, in order; an empty text has 0."""
        import torch

        rows = [[self._start, *self._tokenizer(text, add_special_tokens=False).input_ids] for text in texts]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        values = [0.0] * len(rows)
        for first in range(0, len(order), BATCH):
            chunk = order[first : first + BATCH]
            width = max(len(rows[number]) for number in chunk)
            if width < 2:
                continue
            # Right padding needs no mask under causal attention; only what follows a text's own tokens is looked at
            ids = torch.zeros((len(chunk), width), dtype=torch.long, device=self._device)
            lengths = [len(rows[number]) - 1 for number in chunk]
            for row, number in enumerate(chunk):
                ids[row, : len(rows[number])] = torch.tensor(rows[number])
            with torch.inference_mode():
                logits = self._model(ids, use_cache=False).logits
                told = torch.arange(width, device=self._device) < torch.tensor(lengths, device=self._device)[:, None]
                losses = torch.nn.functional.cross_entropy(logits[told], ids[:, 1:][told[:, :-1]], reduction="none")
            for number, mine in zip(chunk, losses.split(lengths), strict=True):
                values[number] = float(mine.mean()) if len(mine) else 0.0
        return values
