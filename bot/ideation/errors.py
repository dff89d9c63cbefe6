"""What goes wrong in ideation, each with one line for the user. See knowledge/errors.py for the whole tree.

IdeationError
├── NoIdeas         the model wrote nothing that passes the gates
├── NoSparks        the library has nothing to start from
└── UnknownIdea     no idea by that id in this space
"""

from __future__ import annotations

from knowledge.errors import KindlingError


class IdeationError(KindlingError):
    """Base of what goes wrong in ideation."""


class NoIdeas(IdeationError):
    """The model wrote nothing that passes the gates."""


class NoSparks(IdeationError):
    """The library has nothing to start from."""


class UnknownIdea(IdeationError):
    """No idea by that id in this space."""
