"""The step that installs a filter of system calls; what it holds is decided in `profile`."""

from __future__ import annotations

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step


class Seccomp(Step):
    """Install the filter; seccomp(2)."""

    program: bytes

    def describe(self) -> str:
        return f"prctl PR_SET_SECCOMP, SECCOMP_MODE_FILTER ({len(self.program) // 8} instructions)"

    def execute(self, scene: Scene) -> None:
        program = syscalls.SockFprog(len(self.program) // 8, self.program)
        syscalls.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, program)
