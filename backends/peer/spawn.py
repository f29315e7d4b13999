"""Starting a peer's command from this process: what is measured is that command, and no helper of ours before it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isoscope.backends.launcher.cgroups import Cgroup, write
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.process import Clone, Execute, NewSession, StandardStreams
from isoscope.backends.launcher.step import Step
from isoscope.backends.peer.inherit import InheritDescriptors, TakeTerminal
from isoscope.core.errors import HostError

#: Descriptors that a peer inherits have numbers from here on, which are free in whoever starts it.
_FIRST_NUMBER = 200

_TO_DEFAULT = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


@dataclass(frozen=True)
class Start:
    """A peer's command line."""

    words: tuple[str, ...]  #: the program's path first
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": os.environ.get("PATH", os.defpath)})
    keep: tuple[int, ...] = ()  #: descriptors that it inherits under the numbers that they have here: see `lent`


def lent(fd: int) -> int:
    """A copy of a descriptor for `Start.keep`: under a number that stays the same in the peer. The caller closes it."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_NUMBER)


class Spawner:
    """Starts peers, in cgroups of ours where they leave that to us. Thread-safe."""

    def __init__(self, own: Mapping[str, Path]) -> None:
        self._own = own  #: our own cgroups, by version 1 controller: `Tree.own`
        self._launcher = Launcher("isoscope.backends.peer.inherit")

    def prepare(self, cgroup: Cgroup | None) -> None:
        """Make ready for a start in a cgroup, before the clock starts. Raises HostError."""
        if cgroup is not None and cgroup.unified is not None:
            self._launcher.spawn()

    def spawn(
        self, start: Start, streams: Mapping[str, int], *, terminal: str = "", cgroup: Cgroup | None = None
    ) -> int:
        """A pidfd of the peer's process, our child, in a session of its own.

        `streams` are its standard input, output and error, by name; or `terminal` is the path of the one that it has as
        all three, and as its controlling terminal. Raises HostError.
        """
        if cgroup is not None and cgroup.unified is not None:
            return self._by_launcher(start, streams, terminal, cgroup.unified)
        # Opened by the leader of a session that has none, a terminal becomes its controlling one: credentials(7).
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, number, terminal, os.O_RDWR, 0)
            if terminal
            else (os.POSIX_SPAWN_DUP2, streams[name], number)
            for number, name in enumerate(("stdin", "stdout", "stderr"))
        ]
        actions += [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in start.keep]  # which clears close-on-exec
        try:
            with self._inside(cgroup):
                pid = os.posix_spawn(
                    start.words[0],
                    start.words,
                    start.environment,
                    file_actions=actions,
                    setsid=True,
                    setsigmask=(),
                    setsigdef=_TO_DEFAULT,
                )
        except OSError as error:
            raise HostError(f"{start.words[0]} cannot be run: {error.strerror}", hint="see isoscope doctor") from error
        return os.pidfd_open(pid)

    @contextlib.contextmanager
    def _inside(self, cgroup: Cgroup | None) -> Iterator[None]:
        """The calling thread in cgroups of version 1, so that what it starts is born there.

        Each takes some 15 µs (measured); to move a process that somebody else has started would take milliseconds.
        """
        entered: list[str] = []
        try:
            for name, directory in cgroup.directories.items() if cgroup is not None else ():
                write(f"{directory}/tasks", "0")
                entered.append(name)
            yield
        finally:
            for name in entered:
                write(self._own[name] / "tasks", "0")

    def _by_launcher(self, start: Start, streams: Mapping[str, int], terminal: str, cgroup: str) -> int:
        """Only clone3(2) makes a process in a cgroup of version 2, and Python cannot call it without a helper."""
        numbers = [str(fd) for fd in start.keep]
        taken: Step = TakeTerminal(terminal) if terminal else StandardStreams()
        steps: list[Step] = [NewSession(), taken, InheritDescriptors(start.keep)]
        steps.append(Execute(start.words, dict(start.environment)))
        directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fds = {**streams, **dict(zip(numbers, start.keep, strict=True)), "cgroup": directory}
            request = Request(Clone((), cgroup=True), [("spawn", steps)], start.words)
            return self._launcher.launch(request, fds).pidfd
        finally:
            os.close(directory)

    def close(self) -> None:
        """End the helper, where there is one. Idempotent."""
        self._launcher.close()
