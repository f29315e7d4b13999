"""Bytes that are hashed while they stream by."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from isoscope.core.errors import ImageError

CHUNK = 1 << 18


class Reader(Protocol):
    """What can be read from start to end."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class Writer(Protocol):
    """What can be written from start to end."""

    def write(self, data: bytes, /) -> Any:
        """Write all of it."""


class Hashed:
    """A stream that remembers how many bytes went by, and their digest."""

    def __init__(self, inner: Reader, algorithm: str = "sha256") -> None:
        self._inner = inner
        self._hash = hashlib.new(algorithm)
        self._algorithm = algorithm
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        data = self._inner.read(size)
        self._hash.update(data)
        self.count += len(data)
        return data

    @property
    def digest(self) -> str:
        """The digest of what has been read so far."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def drain(self) -> None:
        """Read on to the end."""
        while self.read(CHUNK):
            pass


class HashedWriter:
    """Passes on what is written, and remembers its digest."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self._hash = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        """Write all of it."""
        self._hash.update(data)
        self._inner.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    @property
    def digest(self) -> str:
        """The digest of what has been written so far."""
        return f"sha256:{self._hash.hexdigest()}"


def damaged(what: str, why: str) -> ImageError:
    """The error for data that is not what its producer wrote."""
    return ImageError(f"{what} is damaged: {why}", hint="get the image again")
