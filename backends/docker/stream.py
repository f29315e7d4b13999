"""What a container or an exec writes, as the engine passes it on: frames, or with a terminal plain bytes.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach, "Stream format".
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Callable
from threading import Lock
from time import monotonic_ns

from isoscope.backends.docker.wire import receive
from isoscope.core.pump import Pump

_HEADER = struct.Struct(">BxxxI")
_NAMES = {1: "stdout", 2: "stderr"}

#: Called with a stream's name, a piece of its output, and when it was seen.
OnOutput = Callable[[str, bytes, int], None]


class Frames:
    """Takes a stream apart, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._received = b""
        self._left = 0
        self._name: str | None = None

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """The pieces of output in some bytes."""
        found = []
        data = self._received + data
        while data:
            if not self._left:
                if len(data) < _HEADER.size:
                    break
                number, self._left = _HEADER.unpack_from(data)
                self._name = _NAMES.get(number)
                data = data[_HEADER.size :]
                continue
            piece, data = data[: self._left], data[self._left :]
            self._left -= len(piece)
            if self._name is not None:
                found.append((self._name, piece))
        self._received = data
        return found


class Stream:
    """The output of one command, followed on the pump until its end. The socket is the stream's from then on."""

    def __init__(
        self,
        pump: Pump,
        connected: socket.socket,
        *,
        terminal: bool,
        on_output: OnOutput,
        on_end: Callable[[], None],
    ) -> None:
        self._socket = connected
        self._pump, self._on_output, self._on_end = pump, on_output, on_end
        self._frames = None if terminal else Frames()
        self._lock = Lock()
        self._open = True

    def follow(self, early: bytes = b"") -> None:
        """Start to listen; `early` came already."""
        self._take(early, monotonic_ns())
        self._pump.add(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        at_ns = monotonic_ns()
        with self._lock:
            data = receive(self._socket) if self._open else None
        if data is None:
            return
        if data:
            self._take(data, at_ns)
        else:
            self.close()
            self._on_end()

    def _take(self, data: bytes, at_ns: int) -> None:
        pieces = self._frames.feed(data) if self._frames else [("stdout", data)]
        for name, piece in pieces:
            if piece:
                self._on_output(name, piece, at_ns)

    def descriptor(self) -> int:
        """A descriptor of the socket, to wait until it takes more. The caller closes it."""
        return os.dup(self._socket.fileno())

    def send(self, data: bytes) -> int:
        """Pass input on, as much as there is room for: how many bytes that were. Raises OSError once it is closed.

        Under the lock, since a connection with TLS cannot be read at the same time.
        """
        with self._lock:
            try:
                return self._socket.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return 0

    def end_input(self) -> None:
        """There is no more input. Raises OSError once it is closed."""
        with self._lock:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)  # ssl's own would end what is still to be read

    def close(self) -> None:
        """Listen no more. Idempotent."""
        with self._lock:
            if self._open:
                self._open = False
                self._pump.remove(self._socket.fileno())
                self._socket.close()
