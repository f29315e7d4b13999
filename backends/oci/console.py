"""The socket on which a runtime hands over the terminal that it has made; runc's docs/terminals.md, "new terminal"."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from isoscope.core.errors import InstanceFailed


class ConsoleSocket:
    """Listens until one terminal has come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.bind(str(path))
            self._socket.listen(1)
        except BaseException:
            self._socket.close()
            raise

    @property
    def fd(self) -> int:
        """Readable when a runtime has connected."""
        return self._socket.fileno()

    def receive(self) -> int:
        """Our end of the terminal, the caller's from now on. Raises InstanceFailed."""
        connection, _ = self._socket.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        if not fds:
            raise InstanceFailed("the runtime handed over no terminal", hint="leave out -t")
        os.set_inheritable(fds[0], False)
        return fds[0]

    def close(self) -> None:
        """Listen no more. Idempotent."""
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
