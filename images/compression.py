"""Decompressing layers while they stream by, and never further than the limits allow."""

from __future__ import annotations

import gzip
import io
import zlib

from isoscope.core.errors import ImageError
from isoscope.core.units import format_size
from isoscope.images.hashing import CHUNK, Hashed, Reader, damaged
from isoscope.images.limits import Limits

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: The largest window that a zstd frame may ask us to hold in memory; `zstd --long=27` is the widest in use.
_ZSTD_WINDOW = 128 << 20


class Uncompressed:
    """The tar stream within a layer's blob: plain, gzip or zstd, told apart by its first bytes.

    The media type is not asked: producers err in it, and the digests decide in any case.
    `read` raises ImageError for damaged data, for a compression bomb, and when there is more than `limits.bytes`.
    """

    def __init__(self, raw: Hashed, what: str, limits: Limits) -> None:
        self._raw = raw
        self._what = what
        self._limits = limits
        self._inner = _decompressor(raw)
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        try:
            data = self._inner.read(size)
        except (zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise damaged(self._what, str(error)) from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":  # naming the class would import zstandard for every layer
                raise
            raise damaged(self._what, str(error)) from error
        self.count += len(data)
        self._check()
        return data

    def _check(self) -> None:
        limits = self._limits
        if self.count > limits.bytes:
            raise ImageError(
                f"{self._what} is endless: it has more than {format_size(limits.bytes)}",
                hint="no image of this size can be loaded",
            )
        if self.count > limits.ratio_floor and self.count > limits.ratio * self._raw.count:
            raise ImageError(
                f"{self._what} is a compression bomb: {format_size(self._raw.count)} grew to more than "
                f"{format_size(self.count)}",
                hint=f"layers may grow {limits.ratio}-fold at most",
            )


def compression(head: bytes) -> str:
    """The suffix of the media type (layer.md) for a layer that starts with these (at least four) bytes."""
    return "+gzip" if head.startswith(_GZIP) else "+zstd" if head.startswith(_ZSTD) else ""


class _Prefixed(io.RawIOBase):
    """A stream whose first bytes had to be looked at."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        if size < 0:
            size = len(self._head)
        data, self._head = self._head[:size], self._head[size:]
        return data

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _decompressor(raw: Reader) -> Reader:
    head = b""
    while len(head) < len(_ZSTD) and (more := raw.read(len(_ZSTD) - len(head))):
        head += more
    stream = _Prefixed(head, raw)
    kind = compression(head)
    if kind == "+gzip":
        return gzip.GzipFile(fileobj=io.BufferedReader(stream, CHUNK))
    if kind == "+zstd":
        import zstandard

        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        return decompressor.stream_reader(io.BufferedReader(stream, CHUNK), read_across_frames=True)
    return stream
