"""Steps of the launcher's for programs that others wrote: what they inherit."""

from __future__ import annotations

import os

from isoscope.backends.launcher import linux, process, syscalls
from isoscope.backends.launcher.step import Scene, Step

__all__ = ["InheritDescriptors", "TakeTerminal", "process"]


class TakeTerminal(Step):
    """Take a terminal as the controlling one and as standard input, output and error. After `NewSession`."""

    path: str

    def describe(self) -> str:
        return f"open {self.path}, dup2 stdin, stdout and stderr"

    def execute(self, scene: Scene) -> None:
        terminal = os.open(self.path, os.O_RDWR)
        for number in range(3):
            os.dup2(terminal, number)


class InheritDescriptors(Step):
    """Keep nothing but the standard streams, the way to report, and the descriptors of these numbers."""

    numbers: tuple[int, ...]

    def describe(self) -> str:
        return f"dup2 {', '.join(map(str, self.numbers)) or 'nothing'}; close_range all others but the standard streams"

    def execute(self, scene: Scene) -> None:
        for number in self.numbers:
            os.dup2(scene.fds[str(number)], number)
        kept = sorted({scene.fds["status"], *self.numbers})
        first = 3
        for number in kept:
            if number > first:
                syscalls.close_range(first, number - 1, 0)
            first = number + 1
        syscalls.close_range(first, 0xFFFFFFFF, 0)
        syscalls.close_range(scene.fds["status"], scene.fds["status"], linux.CLOSE_RANGE_CLOEXEC)
