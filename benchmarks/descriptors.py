"""File descriptors for many instances: the keeper holds some of each."""

from __future__ import annotations

import os
import resource
from types import TracebackType
from typing import Self

#: Kept back so that, when there are no more, what is there can still be looked at and deleted.
_SPARE = 64


class Descriptors:
    """Raises this process's soft limit on descriptors (RLIMIT_NOFILE, setrlimit(2)) while it is needed."""

    def __init__(self) -> None:
        self._limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._spare: list[int] = []

    def make_room(self, for_each: int, instances: int) -> None:
        """Raise the limit to the hard one if so many instances, each with so many descriptors, will need it.

        To be called with one of them started: what helps to start them has its own limit by then, and keeps it.
        """
        soft, hard = self._limits
        if soft < hard and open_descriptors() + for_each * instances + 4 * _SPARE > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def release_spare(self) -> None:
        """Give back what was kept. Idempotent."""
        while self._spare:
            os.close(self._spare.pop())

    def __enter__(self) -> Self:
        self._spare = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(_SPARE)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release_spare()
        resource.setrlimit(resource.RLIMIT_NOFILE, self._limits)


def open_descriptors() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))
