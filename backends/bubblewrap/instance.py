"""A sandbox of bubblewrap."""

from __future__ import annotations

import os
import re

from isoscope.backends.bubblewrap.arguments import arguments
from isoscope.backends.launcher.accounts import account
from isoscope.backends.launcher.plan import Command
from isoscope.backends.peer.entering import Entrance
from isoscope.backends.peer.faults import explain
from isoscope.backends.peer.instance import Means, PeerInstance
from isoscope.backends.peer.program import Program
from isoscope.backends.peer.spawn import Start, lent
from isoscope.core.errors import IsoscopeError
from isoscope.core.instance import Execution, Exit
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio

_ABOUT_COMMAND = re.compile(r"^bwrap: execvp ", re.MULTILINE)


class BubblewrapInstance(PeerInstance):
    """One process of bwrap outside, one inside that reaps, and the command's.

    Without --die-with-parent: that goes by the thread that has started it, which may end long before the instance.
    """

    def __init__(self, launch: Launch, means: Means, program: Program, seccomp: bytes, entrance: Entrance) -> None:
        super().__init__(launch, means)
        self._program, self._entrance = program, entrance
        self._filter = _readable(seccomp)
        words = [program.path, *arguments(launch, means.tree), "--seccomp", str(self._filter)]
        _, _, _, home = account(launch.rootfs) or (0, 0, (), "/")
        terminal = {"TERM": "xterm"} if self.workload.terminal else {}
        self._line = Start(
            (*words, "--", *self.workload.command), {"HOME": home, **terminal, **launch.environment()}, (self._filter,)
        )

    def _peer(self) -> Start:
        return self._line

    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        return explain(
            "bwrap", said, self.workload.command[0], about_command=_ABOUT_COMMAND, status=f"it ended with {how}"
        )

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        with self._first_process() as first:
            return self._entrance.execute(
                self.launch, self._cgroup, first, Command(command, stdio, terminal), self._with_cause
            )

    def proof(self) -> dict[str, str]:
        return {**shown, "runtime": self._program.version} if (shown := super().proof()) else {}

    def _delete(self) -> None:
        if self._filter >= 0:
            os.close(self._filter)
            self._filter = -1
        super()._delete()


def _readable(data: bytes) -> int:
    """A descriptor from which data can be read once, to be inherited."""
    memory = os.memfd_create("isoscope-seccomp", os.MFD_CLOEXEC)
    try:
        os.write(memory, data)
        os.lseek(memory, 0, os.SEEK_SET)
        return lent(memory)
    finally:
        os.close(memory)
