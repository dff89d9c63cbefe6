"""Small language models with random weights, of several families, and a tokenizer with a token for each byte."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.language.base import Continuation, Message, Piece
from bot.language.chat import ChatTemplate
from bot.language.loading import Loaded
from bot.language.requests import Request, make_request

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_end|>", "<|im_start|>"]
END = 257
FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3"]


def tokenizer() -> Any:
    """A byte-level tokenizer: a token for each byte, one for "th", and SPECIAL."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, "th"])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[("t", "h")]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|im_end|>")
    wrapped.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    wrapped.chat_template = CHATML
    return wrapped


def config(family: str, **changes: Any) -> Any:
    """A configuration with 3 layers of width 32."""
    from transformers import AutoConfig

    values = {
        "vocab_size": 259,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 1024,
        "initializer_range": 0.3,  # wide, so that the random model has opinions
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": END,
    }
    if family in {"gemma2", "gemma3_text", "mistral"}:
        values["sliding_window"] = 24
    return AutoConfig.for_model(family, **{**values, **changes})


def model(family: str, **changes: Any) -> Any:
    """A model with random weights, the same at each call; in float32, but rounded to bf16, as real ones come."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = AutoModelForCausalLM.from_config(config(family, **changes), dtype=torch.float32).eval()
    for parameter in made.parameters():
        parameter.data = parameter.data.bfloat16().float()
    return made


def loaded(family: str, dtype: Any = None, device: str = "cpu", **changes: Any) -> Loaded:
    """The model on a decoder, as loading.load would return it for a family that is known. In float32 by default."""
    import torch

    from bot.language.architecture import describe
    from bot.language.decoder import Decoder

    made, where = model(family, **changes), torch.device(device)
    decoder = Decoder(describe(made.config.to_dict()), made.state_dict(), where, dtype or torch.float32)
    return Loaded(decoder, ChatTemplate(tokenizer()), where, 1024, frozenset({END}))


def plain(family: str, **changes: Any) -> Loaded:
    """The model on transformers, as loading.load would return it for any other."""
    import torch

    return Loaded(model(family, **changes), ChatTemplate(tokenizer()), torch.device("cpu"), 1024, frozenset({END}))


def save(folder: Path, family: str = "llama", **changes: Any) -> Path:
    """The same in a folder, for loading."""
    from bot.language.surroundings import quiet

    with quiet():
        model(family, **changes).save_pretrained(folder)
        tokenizer().save_pretrained(folder)
    return folder


class Told:
    """What a request delivered, put together."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.last: dict[int, Piece] = {}
        self.error: Exception | None = None

    def __call__(self, news: list[Piece] | Exception) -> None:
        if isinstance(news, Exception):
            self.error = news
            return
        for piece in news:
            assert piece.index not in self.last, "a piece after the last one"
            self.texts[piece.index] = self.texts.get(piece.index, "") + piece.text
            if piece.ending:
                self.last[piece.index] = piece


def request(loaded: Loaded, shared: Sequence[Message], continuations: Sequence[Continuation]) -> tuple[Request, Told]:
    """A request ready for an engine, and the place where its answers gather."""
    told = Told()
    return make_request(loaded.template, shared, continuations, loaded.window, told, threading.Event()), told


def run(engine: Any, *requests: Request) -> None:
    """Run the requests to their end."""
    for one in requests:
        engine.add(one)
    while engine.busy:
        engine.step()
