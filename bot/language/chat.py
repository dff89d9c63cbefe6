"""From messages to the tokens of a prompt, by the model's own chat template.

Message text is untrusted (people's briefs, retrieved snippets): the strings of special tokens in it are broken up, so
that no text can end its own turn or begin somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from bot.language.base import Message
from bot.language.errors import LanguageError


class Tokenizer(Protocol):
    """What Kindling uses of a transformers tokenizer."""

    chat_template: Any

    @property
    def added_tokens_decoder(self) -> dict[int, Any]: ...

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def decode(self, tokens: list[int], **options: Any) -> str: ...


class ChatTemplate:
    """Turns conversations into prompts and tokens into text for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        special = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
        # longest first, so that a special token which begins another one does not leave the other's rest behind
        self._special = re.compile("|".join(map(re.escape, sorted(special, key=len, reverse=True))) or r"(?!)")

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The token ids of the conversation, up to where the assistant's answer begins.

        If the last message is the assistant's own, the answer continues it. Templates that know no system role, or want
        the roles to alternate, get the system's text in front of the first user message, and neighbours of one role
        joined. Raises LanguageError when the model has no chat template or cannot express the conversation.
        """
        turns = [{"role": m.role, "content": self._harmless(m.text)} for m in messages]
        if not turns:
            raise LanguageError("There is nothing to answer: the conversation is empty.")
        if not self._tokenizer.chat_template:
            raise LanguageError("This model has no chat template. Choose an instruct or chat model.")
        try:
            text = self._render(turns)
        except Exception:
            text = self._render_plainly(turns)
        return self._tokenizer.encode(text, add_special_tokens=False)

    def text(self, tokens: list[int]) -> str:
        """The text of the tokens, without special ones."""
        return self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _render(self, turns: list[dict[str, str]]) -> str:
        own = turns[-1]["role"] == "assistant"
        # enable_thinking=False: Qwen's template then leaves out the reasoning; other templates do not look at it
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=not own, continue_final_message=own, enable_thinking=False
        )
        return text

    def _render_plainly(self, turns: list[dict[str, str]]) -> str:
        try:
            return self._render(_alternating(turns))
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise LanguageError(f"The model's chat template refuses this conversation: {reason}") from error

    def _harmless(self, text: str) -> str:
        # a space in its place: with nothing there, the text around it could close up to a special token again
        return self._special.sub(" ", text)


def _alternating(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same text in user and assistant turns only, no two neighbours alike."""
    joined: list[dict[str, str]] = []
    for turn in turns:
        role = "user" if turn["role"] == "system" else turn["role"]
        if joined and joined[-1]["role"] == role:
            joined[-1]["content"] += "\n\n" + turn["content"]
        else:
            joined.append({"role": role, "content": turn["content"]})
    return joined


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    shorter = min(len(one), len(other))
    return next((i for i in range(shorter) if one[i] != other[i]), shorter)
