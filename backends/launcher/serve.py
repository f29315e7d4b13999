"""The helper's loop: take a request, clone, answer with the child's pidfd."""

from __future__ import annotations

import _socket
import os

from isoscope.backends.launcher import child, linux, syscalls, wire
from isoscope.backends.launcher.step import Scene, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def serve(sock: _socket.socket) -> None:
    """Answer requests until the other end is closed."""
    while (request := wire.receive(sock)) is not None:
        message, fds = request
        try:
            if "launch" in message:
                _launch(sock, message, fds)
            else:
                _make_network_namespace(sock)
        finally:
            for fd in fds:
                os.close(fd)


def _launch(sock: _socket.socket, message: Any, fds: list[int]) -> None:
    scene = Scene(dict(zip(message["fds"], fds, strict=True)))
    clone = Step.unpack(message["launch"])
    phases: child.Phases = [(name, [Step.unpack(step) for step in steps]) for name, steps in message["phases"]]
    try:
        clone.execute(scene)
    except OSError as error:
        failure = {"phase": "clone", "step": "Clone", "text": clone.describe(), "errno": error.errno}
        wire.send(sock, {"failed": {**failure, "reason": error.strerror}})
        return
    if scene.pid == 0:
        sock.close()
        child.run(scene, phases)
    wire.send(sock, {"pid": scene.pid}, (scene.pidfd,))
    os.close(scene.pidfd)


def _make_network_namespace(sock: _socket.socket) -> None:
    """Answer with a descriptor of a new network namespace; it lives for as long as anybody holds one."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.unshare(linux.CLONE_NEWNET)
        made = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(own, linux.CLONE_NEWNET)
        wire.send(sock, {}, (made,))
        os.close(made)
    except OSError as error:
        failure = {"phase": "network", "step": "NetworkNamespace", "text": "unshare CLONE_NEWNET", "errno": error.errno}
        wire.send(sock, {"failed": {**failure, "reason": error.strerror}})
    finally:
        os.close(own)
