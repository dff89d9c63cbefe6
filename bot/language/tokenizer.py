"""A tokenizer and its chat template, read from a model's folder without transformers where the folder says it all.

transformers wraps the library `tokenizers`, which does the work, and renders templates with Jinja. Its import takes
longer than loading a small model. A folder that transformers 5 has written with its general tokenizer class holds
everything in tokenizer.json, and is read here; the tests compare the results. Any other goes through transformers,
which knows what each model's own class changes.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from knowledge.imports import TURN

_GENERAL = "TokenizersBackend"
_TAG = "CONTINUE_FINAL_MESSAGE_TAG "


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer of the model in a folder: a FileTokenizer or a transformers one. Raises what reading it raises."""
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if settings.get("tokenizer_class") == _GENERAL and (folder / "tokenizer.json").is_file():
        return FileTokenizer(folder, settings)
    with TURN:
        from transformers import AutoTokenizer

    from bot.language.surroundings import offline, quiet

    with offline(), quiet():
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


class FileTokenizer:
    """chat.Tokenizer, from tokenizer.json, chat_template.jinja and the names of the special tokens."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """`settings` is the content of tokenizer_config.json."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._special = {
            name: value["content"] if isinstance(value, dict) else value
            for name in ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
            if (value := settings.get(name))
        }
        template = folder / "chat_template.jinja"
        stored = template.read_text(encoding="utf-8") if template.is_file() else settings.get("chat_template")
        self.chat_template: str | None = stored

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """The tokens that were added to the vocabulary, special ones among them, by id."""
        added: dict[int, Any] = self._tokenizer.get_added_tokens_decoder()
        return added

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text."""
        token: int | None = self._tokenizer.token_to_id(self._special.get("eos_token", ""))
        return token

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """The token ids of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, tokens: list[int], *, skip_special_tokens: bool = False, **_: Any) -> str:
        """The text of token ids."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=skip_special_tokens)
        return text

    def apply_chat_template(
        self,
        conversation: list[dict[str, str]],
        *,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = False,
        **variables: Any,
    ) -> str:
        """The conversation as one text, rendered as transformers renders it. `tokenize` must be False.

        With `continue_final_message` the text ends where the last message does. Raises jinja2.TemplateError, or
        ValueError where the template drops that message.
        """
        assert not tokenize
        messages = [dict(message) for message in conversation]
        if continue_final_message:
            messages[-1]["content"] += _TAG
        text: str = self._compiled.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **{**self._special, **variables},
        )
        if not continue_final_message:
            return text
        if conversation[-1]["content"].strip() not in text or _TAG.strip() not in text:
            raise ValueError("the chat template drops the message to go on with")
        at = text.rindex(_TAG.strip())
        kept = text[at : at + len(_TAG)] == _TAG  # else the template trims messages, and so does this
        return text[:at] if kept else text[:at].rstrip()

    @cached_property
    def _compiled(self) -> Any:
        """The template, in a sandbox: it came with the model, and is not to be trusted."""
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["dict"] = _dict
        environment.globals["namespace"] = _namespace
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        return environment.from_string(self.chat_template or "")


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    """JSON as templates expect it: Jinja's own filter escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _dict(*items: Any, **named: Any) -> dict[Any, Any]:
    """What templates get for the class dict, on which there are ways out of the sandbox."""
    return dict(*items, **named)


def _namespace(*items: Any, **named: Any) -> Any:
    """Jinja's namespace, without the names by which a template might reach Python's own attributes."""
    from jinja2.exceptions import SecurityError
    from jinja2.utils import Namespace

    class Guarded(Namespace):
        def __setitem__(self, name: str, value: Any) -> None:
            if name.startswith("_"):
                raise SecurityError(f"a chat template may not set {name}")
            super().__setitem__(name, value)

    made = Guarded()
    for name, value in dict(*items, **named).items():
        made[name] = value
    return made


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)
