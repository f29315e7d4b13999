"""Messages between us, the helper and the child: marshalled plain data with descriptors beside it (unix(7)).

Both ends are the same program of the same Python, so marshal's format may change between versions.
"""

from __future__ import annotations

import _socket
import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Descriptors that one message can carry; the kernel's SCM_MAX_FD is 253.
MOST_FDS = 16

_HEADER = 8  # bytes: the length of what follows
_FD = 4


def send(sock: _socket.socket, message: Any, fds: tuple[int, ...] = ()) -> None:
    """Send a message over a stream socket. Raises OSError."""
    body = marshal.dumps(message)
    data = len(body).to_bytes(_HEADER, "big") + body
    packed = b"".join(fd.to_bytes(_FD, sys.byteorder) for fd in fds)
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)] if fds else []
    sent = sock.sendmsg([data], ancillary, _socket.MSG_NOSIGNAL)
    if sent < len(data):
        sock.sendall(data[sent:], _socket.MSG_NOSIGNAL)


def receive(sock: _socket.socket) -> tuple[Any, list[int]] | None:
    """The next message and its descriptors (close-on-exec), or None at the end. Raises OSError."""
    # Only the header is asked for, since a longer read could run on into the next message.
    header, ancillary, _, _ = sock.recvmsg(_HEADER, _socket.CMSG_SPACE(_FD * MOST_FDS), _socket.MSG_CMSG_CLOEXEC)
    fds = [
        int.from_bytes(packed[at : at + _FD], sys.byteorder)
        for _, _, packed in ancillary
        for at in range(0, len(packed) - _FD + 1, _FD)
    ]
    if len(header) < _HEADER:
        return None
    body, missing = [], int.from_bytes(header, "big")
    while missing:
        piece = sock.recv(min(missing, 1 << 20))
        if not piece:
            return None
        body.append(piece)
        missing -= len(piece)
    return marshal.loads(b"".join(body)), fds  # noqa: S302  # both ends are ours
