"""What goes wrong with a language model, each with one line for the user. See knowledge/errors.py for the whole tree.

LanguageError
├── ModelNotFound        no such package, folder, file or hub model
├── ModelTooLarge        it does not fit in memory
├── ServerUnreachable    nothing answers at the server's address
├── ServerRefused        the server answered with an error (key, model name, body)
└── ModelTimeout         no answer in the time allowed
"""

from __future__ import annotations

from knowledge.errors import KindlingError


class LanguageError(KindlingError):
    """Base of what goes wrong with a language model."""


class ModelNotFound(LanguageError):
    """No such package, folder, file or hub model."""


class ModelTooLarge(LanguageError):
    """The model does not fit in memory."""


class PromptTooLong(LanguageError):
    """What the model should read does not fit in its window."""


class ServerUnreachable(LanguageError):
    """Nothing answers at the server's address."""


class ServerRefused(LanguageError):
    """The server answered with an error."""


class ModelTimeout(LanguageError):
    """No answer in the time allowed."""
