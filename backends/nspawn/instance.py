"""A container of systemd-nspawn."""

from __future__ import annotations

import re

from isoscope.backends.nspawn import command, ending
from isoscope.backends.nspawn.ending import LastWords
from isoscope.backends.peer.bridge import JoiningInstance
from isoscope.backends.peer.faults import explain
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.netns import NetworkNamespace
from isoscope.backends.peer.program import Program
from isoscope.backends.peer.spawn import Start
from isoscope.core.errors import IsoscopeError
from isoscope.core.instance import Exit
from isoscope.core.launch import Launch

_ABOUT_COMMAND = re.compile(r"execv\(.*\) failed: ", re.DOTALL)


class NspawnInstance(JoiningInstance):
    """systemd-nspawn outside, and the command as process 1 inside, as in a container of ours.

    The kernel keeps from process 1 every signal that it has no handler for, but SIGKILL and SIGSTOP.
    """

    def __init__(self, launch: Launch, means: Means, program: Program, network: NetworkNamespace | None) -> None:
        super().__init__(launch, means, network)
        self._program = program
        words = command.words(launch, program.path, means.tree, network.path if network else "")
        self._line = Start(words, command.environment(unified=means.cgroup.unified is not None))
        self._last = LastWords(self.record.mark)

    def _peer(self) -> Start:
        return self._line

    def _on_output(self, stream: str, data: bytes, at_ns: int) -> None:
        if stream == ("stdout" if self.workload.terminal else "stderr"):
            data = self._last.pass_on(data)
        if not data:
            return
        super()._on_output(stream, data, at_ns)

    def _told(self, how: Exit) -> Exit:
        if how.code is None:
            return how  # it was systemd-nspawn itself that was killed
        kernel = ending.from_kernel(self._command) if self._command >= 0 else None
        return kernel or ending.from_words(how.code, self._last.held)

    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        return explain(
            "systemd-nspawn",
            said,
            self.workload.command[0],
            about_command=_ABOUT_COMMAND,
            status=f"it ended with {how.exit_status}",
        )

    def proof(self) -> dict[str, str]:
        return {**shown, "runtime": self._program.version} if (shown := super().proof()) else {}
