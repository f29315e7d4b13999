"""Have an instance kept by a process of its own, and hear from it what came of that."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from isoscope.core.control import receive, send, unpack_error
from isoscope.core.errors import InstanceFailed
from isoscope.core.remote import PATIENCE
from isoscope.core.workload import Workload

#: Bytes of a dead shim's last words that are worth repeating.
_LAST_WORDS = 4096

HEARD = {"heard": True}


def detach(
    home: Path,
    workload: Workload,
    variant: str,
    *,
    name: str = "",
    start: bool = False,
    remove: bool = False,
    libvirt_uri: str | None = None,
) -> str:
    """Create an instance in a process of its own, started too with `start`. Returns its name.

    Raises what creating and starting raise; nothing is left then, nor when the caller is interrupted or dies
    before it has heard. `remove` has the record go with the instance when it ends.
    """
    request = {
        "workload": workload.as_dict(),
        "variant": variant,
        "name": name,
        "start": start,
        "remove": remove,
        "libvirt_uri": libvirt_uri,
    }
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with ours, open(os.memfd_create("isoscope-shim"), "w+b", buffering=0) as last_words:
        with theirs:
            _spawn(home, theirs, last_words.fileno())
        try:
            send(ours, request)
            answer = receive(ours)
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        if answer is None:
            raise _died(last_words.fileno())
        message, _ = answer
        if "error" in message:
            _await_end(ours)
            raise unpack_error(message["error"])
        send(ours, HEARD)
        return str(message["result"])


def _spawn(home: Path, connection: socket.socket, last_words: int) -> None:
    """Start the shim. It leaves a child behind and ends at once, so that init inherits the one that goes on."""
    # -P keeps the working directory, which may be anybody's, out of the places that modules come from.
    command = [sys.executable, "-P", "-m", "isoscope.core.shim", f"{home}/", str(connection.fileno())]
    subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=last_words,
        stderr=last_words,
        pass_fds=[connection.fileno()],
        start_new_session=True,
        cwd="/",
    )


def _await_end(connection: socket.socket) -> None:
    """Wait until the shim hangs up, which it does by ending, so that not even a process is left of it."""
    connection.settimeout(PATIENCE)
    with contextlib.suppress(OSError):
        connection.recv(1)


def _died(last_words: int) -> InstanceFailed:
    size = os.fstat(last_words).st_size
    text = os.pread(last_words, _LAST_WORDS, max(0, size - _LAST_WORDS)).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return InstanceFailed(
        f"the process that was to keep the instance died{': ' + lines[-1] if lines else ''}",
        hint="isoscope gc removes what it may have left",
    )
