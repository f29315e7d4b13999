"""The helper's loop: take a request, clone, answer with the child's pidfd."""

from __future__ import annotations

import _socket
import marshal
import os

from isoscope.backends.launcher import child, linux, syscalls, wire
from isoscope.backends.launcher.step import Scene, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Server:
    """Answers requests until the other end of its socket is closed."""

    def __init__(self, sock: _socket.socket) -> None:
        self._socket = sock
        self._prepared: dict[int, tuple[Step, child.Phases]] = {}  #: plans that are to be carried out later

    def serve(self) -> None:
        """Take requests, each a word, a number and what belongs to it."""
        verbs = {"prepare": self._prepare, "launch": self._launch, "forget": self._forget, "network": self._network}
        while (request := wire.receive(self._socket)) is not None:
            (verb, number, rest), fds = request
            try:
                verbs[verb](number, rest, fds)
            finally:
                for fd in fds:
                    os.close(fd)

    def _prepare(self, number: int, rest: Any, _fds: list[int]) -> None:
        clone, phases = marshal.loads(rest)  # noqa: S302  # from our own client
        unpacked = [(name, [Step.unpack(step) for step in steps]) for name, steps in phases]
        self._prepared[number] = Step.unpack(clone), unpacked

    def _forget(self, number: int, _rest: Any, _fds: list[int]) -> None:
        self._prepared.pop(number, None)

    def _launch(self, number: int, names: Any, fds: list[int]) -> None:
        scene = Scene(dict(zip(names, fds, strict=True)))
        clone, phases = self._prepared.pop(number)
        _clone(self._socket, scene, clone, phases)

    def _network(self, _number: int, _rest: Any, _fds: list[int]) -> None:
        _make_network_namespace(self._socket)


def _clone(sock: _socket.socket, scene: Scene, clone: Step, phases: child.Phases) -> None:
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
