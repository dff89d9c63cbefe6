"""From paths to documents: the files that the given files and folders mean, in sorted order, and what they are called.

It opens no file and knows nothing of what is in one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from knowledge.readers import SUFFIXES
from knowledge.readers.decoding import shorten

NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """A file to read.

    `name` is for people, and goes on the cards of ideas: the path from the folder that was given, that folder included,
    or the file's name alone. It says nothing of where on the disk that is.
    """

    path: Path
    name: str

    @property
    def address(self) -> str:
        """What tells this file from all others, however its path was given: its name and a hash of its whole path."""
        whole = os.fsencode(os.path.realpath(self.path))
        return f"{shorten(self.path.name, NAME_CHARACTERS)}#{hashlib.blake2b(whole, digest_size=8).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A path that leads to nothing that could be read, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something in a folder that was passed over: hidden, or with a suffix of no format that Kindling reads."""

    name: str


def find_documents(paths: Iterable[str | Path]) -> Iterator[Document | Unreadable | Skipped]:
    """The documents that `paths` mean, each once. Folders are walked to the bottom, links followed.

    A file that is given by its own path is never skipped, whatever it is called: its reader will tell.
    """
    met: set[tuple[int, int]] = set()
    for given in map(Path, paths):
        # A stack, for folders may be nested deeper than Python calls.
        waiting = [(given, _root_name(given))]
        while waiting:
            path, name = waiting.pop()
            shown = shorten(name, NAME_CHARACTERS)
            try:
                found = path.stat()
                inside = sorted(entry.name for entry in path.iterdir()) if stat.S_ISDIR(found.st_mode) else None
            except (OSError, ValueError) as error:
                yield Unreadable(shown, reason(error))
                continue
            if _leads_back(path):
                yield Unreadable(shown, "is a link back to a folder that holds it")
            elif (found.st_dev, found.st_ino) in met:
                continue
            elif inside is not None:
                yield from (Skipped(shorten(f"{name}/{entry}", NAME_CHARACTERS)) for entry in inside if _hidden(entry))
                waiting += [(path / entry, f"{name}/{entry}") for entry in reversed(inside) if not _hidden(entry)]
            elif path != given and path.suffix.lower() not in SUFFIXES:
                yield Skipped(shown)
            elif stat.S_ISREG(found.st_mode):
                yield Document(path, shown)
            else:
                yield Unreadable(shown, "is neither a file nor a folder")
            met.add((found.st_dev, found.st_ino))


def reason(error: OSError | ValueError) -> str:
    """Why a path could not be read, in words for the person who gave it."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOENT, errno.ENOTDIR) or isinstance(error, ValueError):
        return "does not exist"
    if number in (errno.EACCES, errno.EPERM):
        return "may not be read: check its permissions"
    if number == errno.ELOOP:
        return "is a link that leads to itself"
    return f"cannot be read: {error.strerror or error}"


def _root_name(path: Path) -> str:
    try:
        return path.name if path.is_file() else (path.resolve().name or path.anchor)
    except (OSError, RuntimeError, ValueError):
        return path.name


def _hidden(entry: str) -> bool:
    return entry.startswith(".")


def _leads_back(path: Path) -> bool:
    """Whether `path` is a link to a folder that holds the link."""
    if not path.is_symlink():
        return False
    target, holder = path.resolve(), path.parent.resolve()
    return target == holder or target in holder.parents
