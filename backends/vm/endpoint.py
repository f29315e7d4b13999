"""Unix sockets that QEMU connects to: we listen before it starts, so there is nothing to wait or to poll for."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from isoscope.core.pump import Pump

_PIECE = 1 << 16


class Endpoint:
    """One end of a character device of QEMU's. Its callbacks run on the pump's thread."""

    def __init__(
        self, path: Path, pump: Pump, *, connected: Callable[[], None], received: Callable[[bytes], None]
    ) -> None:
        """`received` gets every piece as it comes, and an empty one when QEMU has hung up."""
        self._pump = pump
        self._connected, self._received = connected, received
        self._peer: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._listener.bind(os.fspath(path))
        self._listener.listen(1)
        pump.add(self._listener.fileno(), self._accept)

    def send(self, data: bytes) -> bool:
        """Send all of it, waiting for QEMU as long as SO_SNDTIMEO allows; False when it was not taken."""
        assert self._peer is not None
        try:
            self._peer.sendall(data)
        except OSError:
            return False
        return True

    def send_now(self, data: bytes) -> None:
        """Send what is small, or not at all; never waits."""
        if self._peer is not None:
            try:
                self._peer.send(data, socket.MSG_DONTWAIT)
            except OSError:
                return

    def drain(self) -> None:
        """Read what is there already; for callbacks on the pump's thread."""
        while self._peer is not None and self._peer.fileno() >= 0 and self._read():
            pass

    def close(self) -> None:
        """Hang up. Idempotent; no callback begins after it."""
        for end in (self._listener, self._peer):
            if end is not None and end.fileno() >= 0:
                self._pump.remove(end.fileno())
                end.close()

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:  # closed meanwhile, by another thread
            return
        self._pump.remove(self._listener.fileno())
        self._listener.close()
        # A guest that does not read for so long never will; see `send`.
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _SEND_TIMEOUT)
        self._peer = peer
        self._connected()
        self._pump.add(peer.fileno(), self._readable)

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        assert self._peer is not None
        try:
            data = self._peer.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._pump.remove(self._peer.fileno())
        self._received(data)
        return bool(data)


_SEND_TIMEOUT = (30).to_bytes(8, "little") + bytes(8)  # struct timeval
