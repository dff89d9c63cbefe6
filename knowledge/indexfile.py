"""A FAISS index in one file that is either whole and true or not there. It knows nothing of what the vectors stand for.

The file begins with a header of fixed length: one JSON object, padded with spaces, that says what the index is of and
the length and checksum of what follows, FAISS's own format. It is written beside its place and renamed into it, so a
kill at any moment leaves the old file or the new one. It is not forced to the disk: after a power cut the checksum
tells, and what is derived is derived again. The checksum is needed in any case, for FAISS may end the process on a
damaged file.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from knowledge.nearest import faiss

SUFFIX = ".faiss"
TEMPORARY_SUFFIX = ".part"

_HEADER_BYTES = 1024
_CHUNK = 1 << 20


class DamagedIndex(Exception):
    """The file is not one that `write` made, or not all of it."""


def write(path: Path, index: Any, header: Mapping[str, str | int]) -> None:
    """Put a FAISS index and its header at `path`, in place of what is there.

    Raises:
        OSError: the disk is full, or the folder may not be written to. ValueError: the header is too long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(suffix=TEMPORARY_SUFFIX, prefix=path.stem + "-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b" " * _HEADER_BYTES)
            body = _Summed(file)
            faiss().write_index(index, faiss().PyCallbackIOWriter(body.write, _CHUNK))
            if body.error is not None:
                raise body.error
            file.seek(0)
            file.write(_packed({**header, "bytes": body.length, "crc32": body.crc32}))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path: Path, expected: Mapping[str, str | int]) -> tuple[Any, dict[str, Any]]:
    """The FAISS index at `path`, and its header.

    Raises:
        DamagedIndex: its header lacks something of `expected`, or the file is not whole. OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = _unpacked(file.read(_HEADER_BYTES))
        if any(header.get(key) != value for key, value in expected.items()):
            raise DamagedIndex(f"{path} is of something else")
        crc32, length = 0, 0
        while chunk := file.read(_CHUNK):
            crc32, length = zlib.crc32(chunk, crc32), length + len(chunk)
        if (length, crc32) != (header.get("bytes"), header.get("crc32")):
            raise DamagedIndex(f"{path} is not whole")
        file.seek(_HEADER_BYTES)
        try:
            return faiss().read_index(faiss().PyCallbackIOReader(file.read, _CHUNK)), header
        except RuntimeError as error:  # another version of FAISS wrote it
            raise DamagedIndex(f"{path} cannot be read by this FAISS") from error


class _Summed:
    """Writes on to a file and keeps count. Keeps an error too, which FAISS would not let through."""

    def __init__(self, file: BinaryIO) -> None:
        self.length = 0
        self.crc32 = 0
        self.error: OSError | None = None
        self._file = file

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        self.length += len(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        return len(data)


def _packed(header: Mapping[str, str | int]) -> bytes:
    packed = json.dumps(header).encode().ljust(_HEADER_BYTES)
    if len(packed) > _HEADER_BYTES:
        raise ValueError("the header of an index is too long")
    return packed


def _unpacked(packed: bytes) -> dict[str, Any]:
    try:
        header = json.loads(packed)
    except ValueError as error:
        raise DamagedIndex("no header") from error
    if not isinstance(header, dict):
        raise DamagedIndex("no header")
    return header
