"""The exception tree. Every message is one line, fit to show a user, and says what to do.

    KindlingError                    anything that Kindling itself refuses or cannot do
    ├── BadInput                     what the person gave cannot be used: it says why
    ├── KnowledgeError
    │   ├── StoreError               the data folder cannot be read or written
    │   │   ├── StoreTooNew          made by a newer Kindling
    │   │   ├── StoreBusy            another process holds it for too long
    │   │   └── StoreFull            no room left on the disk
    │   ├── ReadError                a file or page cannot be read; names it, and the line where known
    │   ├── FetchError               an address cannot be fetched now
    │   │   └── FetchRefused         nor ever: Kindling's own rules, or the site's, are against it
    │   └── EmbedderError            the embedder is missing, damaged or cannot be loaded
    ├── LanguageError                (bot/language/errors.py) the language model: missing, too large, unreachable, late
    └── IdeationError                (bot/ideation/errors.py) no idea could be made, or none by that name

Domain code raises these; only the faces (terminal, cogs) translate them into what a person sees.
"""

from __future__ import annotations


class KindlingError(Exception):
    """Base of everything that Kindling raises on purpose. `str(error)` is one line for the user."""


def sentence(error: KindlingError) -> str:
    """The error as a sentence to show: a capital at its start and a stop at its end."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


class BadInput(KindlingError):
    """What the person gave cannot be used."""


class KnowledgeError(KindlingError):
    """Base of what goes wrong in `knowledge`."""


class StoreError(KnowledgeError):
    """The data folder cannot be read or written."""


class StoreTooNew(StoreError):
    """The database was made by a newer version of Kindling."""


class StoreBusy(StoreError):
    """Another process has held the database for too long."""


class StoreFull(StoreError):
    """The disk has no room left."""


class ReadError(KnowledgeError):
    """A file or page cannot be read."""


class FetchError(KnowledgeError):
    """An address cannot be fetched. The message says why without repeating the address.

    retry_after: seconds after which the server asks to be asked again, if it said so. gone: whether it says that there
    will never be anything again.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.gone = gone


class FetchRefused(FetchError):
    """An address is not fetched, by Kindling's own rules or the site's: asking again changes nothing."""


class EmbedderError(KnowledgeError):
    """The embedder is missing, damaged or cannot be loaded."""
