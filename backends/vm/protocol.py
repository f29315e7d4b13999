"""The frames that host and guest exchange; images/guest/init/frames.h is the other end, and says what each means."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum

PORT = "org.isoscope.control"  #: the name of the virtio-serial port
MAIN_STREAM = 1  #: the workload itself; every other stream is an exec
STDIN_WINDOW = 65536  #: bytes of standard input that may be on the way to one task
LARGEST = 4 << 20  #: bytes in a frame

_HEADER = struct.Struct("<III")
END = struct.Struct("<iii")  #: of EXIT: code, signal, killed for want of memory
SIZE = struct.Struct("<HH")  #: of WINSIZE: rows, columns
NUMBER = struct.Struct("<i")  #: of SIGNAL, FAILED (an errno, before the name of what failed) and CREDIT


class Kind(IntEnum):
    """The type of a frame."""

    CONFIGURE = 1
    RUN = 2
    STDIN = 3
    SIGNAL = 4
    USAGE = 5
    WINSIZE = 6
    POWEROFF = 7

    HELLO = 16
    CONFIGURED = 17
    STARTED = 18
    FAILED = 19
    STDOUT = 20
    STDERR = 21
    EXIT = 22
    CREDIT = 23
    USAGE_REPLY = 24


def frame(kind: Kind, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame as it goes over the wire."""
    return _HEADER.pack(kind, stream, len(payload)) + payload


def text(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Pairs as CONFIGURE and RUN carry them. Values hold no NUL: `Workload` refuses those."""
    return b"".join(f"{key}={value}\0".encode("utf-8", "surrogateescape") for key, value in pairs)


def parse_text(payload: bytes) -> dict[str, str]:
    """The inverse of `text`, for keys that stand once."""
    pairs = (line.partition("=") for line in payload.decode("utf-8", "replace").split("\0"))
    return {key: value for key, equals, value in pairs if equals}


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Type, stream and payload of each frame that is whole now. Raises ValueError for one that is too long."""
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER.size:
                kind, stream, length = _HEADER.unpack_from(self._buffer, at)
                if length > LARGEST:
                    raise ValueError(f"a frame of {length} bytes")
                end = at + _HEADER.size + length
                if len(self._buffer) < end:
                    break
                payload = bytes(self._buffer[at + _HEADER.size : end])
                at = end
                yield kind, stream, payload
        finally:
            del self._buffer[:at]
