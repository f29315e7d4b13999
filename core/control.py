"""How one `isoscope` process asks another for what it holds: the messages on an instance's control socket.

An instance lives in one process, its keeper (`isoscope.core.keeper`). Whoever else wants something of it connects to
`Record.socket`, a Unix stream socket in a directory of the same user, and sends one request a connection. A message is
four bytes of length in network order and as many bytes of JSON; descriptors travel beside the first of them
(SCM_RIGHTS, unix(7)). The answer is `{"result": ...}` or `{"error": ...}`; an error is raised again at the other end as
what it was. After `exec` the connection stays: `{"kill": N}` and `{"resize": [ROWS, COLUMNS]}` may follow, and the
command's end is a second answer.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from isoscope.core import errors
from isoscope.core.errors import InputError, InstanceFailed, IsoscopeError
from isoscope.core.instance import Exit

_LENGTH = struct.Struct("!I")
LONGEST_MESSAGE = 16 << 20  #: bytes; well above ARG_MAX, so that any command fits
MOST_DESCRIPTORS = 3


def send(connection: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message. Raises OSError when nobody hears it."""
    data = json.dumps(message).encode()
    head = _LENGTH.pack(len(data))
    if descriptors:
        socket.send_fds(connection, [head], list(descriptors))
    else:
        connection.sendall(head)
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the descriptors that came with it; None when the other end has hung up.

    The descriptors are the caller's to close. Raises InputError for what is no message.
    """
    head, descriptors = _read_head(connection)
    try:
        message = _decode(_read(connection, _LENGTH.size, head), connection)
    except EOFError:
        message = None
    except BaseException:
        close_all(descriptors)
        raise
    if message is None:
        close_all(descriptors)
        return None
    return message, descriptors


def _read_head(connection: socket.socket) -> tuple[bytes, list[int]]:
    # Not socket.recv_fds, which drops its flags: the descriptors would leak into whatever is executed meanwhile.
    space = socket.CMSG_SPACE(MOST_DESCRIPTORS * array("i").itemsize)
    head, extras, _, _ = connection.recvmsg(_LENGTH.size, space, socket.MSG_CMSG_CLOEXEC)
    descriptors = array("i")
    for level, kind, data in extras:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return head, list(descriptors)


def _decode(head: bytes, connection: socket.socket) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(head)
    if length > LONGEST_MESSAGE:
        raise InputError("a control message is too long", hint=f"the most is {LONGEST_MESSAGE} bytes")
    try:
        message = json.loads(_read(connection, length))
    except ValueError as error:
        raise InputError("a control message is not JSON", hint="both ends must be isoscope") from error
    if not isinstance(message, dict):
        raise InputError("a control message is no object", hint="both ends must be isoscope")
    return message


def _read(connection: socket.socket, length: int, data: bytes = b"") -> bytes:
    """`data` and what follows it, `length` bytes in all. Raises EOFError when the other end hangs up before."""
    pieces, missing = [data], length - len(data)
    while missing > 0:
        piece = connection.recv(min(missing, 1 << 16))
        if not piece:
            raise EOFError
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


# Errors that cross


def pack_error(error: IsoscopeError) -> dict[str, Any]:
    """The error as plain data from which `unpack_error` makes it again."""
    packed = error.as_dict()
    if isinstance(error, errors.WorkloadFailed):
        packed["command_status"] = error.command_status
    return packed


#: What stands in for an error class that this process does not know, such as a plugin's own.
_STAND_INS: dict[str, type[IsoscopeError]] = {
    "user": errors.InputError,
    "host": errors.HostError,
    "workload": errors.WorkloadFailed,
    "isoscope": errors.InstanceFailed,
}


def unpack_error(packed: Mapping[str, Any]) -> IsoscopeError:
    """The error that `pack_error` took apart: same class, message, hint and status."""
    kind = getattr(errors, str(packed.get("error")), None)
    if not (isinstance(kind, type) and issubclass(kind, IsoscopeError)):
        kind = _STAND_INS.get(str(packed.get("fault")), InstanceFailed)
    error = kind.__new__(kind)  # past the constructors, which word messages of their own
    IsoscopeError.__init__(
        error,
        str(packed.get("message", "")),
        hint=str(packed.get("hint", "")),
        transient=bool(packed.get("transient", False)),
    )
    if isinstance(error, errors.WorkloadFailed):
        error.command_status = int(packed.get("command_status", 1))
    return error


def unpack_exit(packed: Mapping[str, Any]) -> Exit:
    """The inverse of `Exit.as_dict`."""
    return Exit(code=packed["code"], signal=packed["signal"], oom_killed=packed["oom_killed"])
