"""What the standard streams of a command are: pipes of ours, or the caller's own descriptors."""

from __future__ import annotations

import os
from typing import Self

from isoscope.core.output import Stdio


class Streams:
    """Pipes for the output of a workload, so that it is timed and logged; its input is the caller's own descriptor."""

    def __init__(self, stdio: Stdio, terminal: bool) -> None:
        self.theirs: dict[str, int] = {}
        self._ours: dict[str, int] = {}
        self._made: list[int] = []
        if terminal:
            return
        if stdio.stdin is None:
            self._made.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            self.theirs["stdin"] = self._made[0]
        else:
            self.theirs["stdin"] = stdio.stdin
        for name in ("stdout", "stderr"):
            self._ours[name], self.theirs[name] = os.pipe2(os.O_CLOEXEC)
            self._made.append(self.theirs[name])

    def keep(self) -> dict[str, int]:
        """Our ends, the caller's from now on."""
        ours, self._ours = self._ours, {}
        return ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (*self._made, *self._ours.values()):
            os.close(fd)


class Direct:
    """The caller's own descriptors as the streams of a second command, and /dev/null where there is none."""

    def __init__(self, stdio: Stdio, terminal: bool) -> None:
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        given = {"stdin": stdio.stdin, "stdout": stdio.stdout, "stderr": stdio.stderr}
        self.theirs = {} if terminal else {n: self._null if fd is None else fd for n, fd in given.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._null)


def relay(stdout: int | None, _stream: str, data: bytes, _at_ns: int) -> None:
    """Pass the output of a terminal on to the caller, who may have gone."""
    while stdout is not None and data:
        try:
            data = data[os.write(stdout, data) :]
        except BrokenPipeError:
            return
