"""A process that is a Python function on a thread: it can be signalled, frozen and watched like a real one."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from isoscope.core.instance import Exit
from isoscope.core.output import Stdio
from isoscope.core.workload import Workload

#: What a fake runs: it gets its process and returns its exit status (None means 0).
Program = Callable[["FakeProcess"], int | None]


class _Ended(BaseException):
    """A signal has ended the program. Not an Exception, so that no program swallows it."""

    def __init__(self, how: Exit) -> None:
        super().__init__(how)
        self.how = how


@dataclass
class FakeProcess:
    """What a program sees of its process, and its backend does to it.

    A program is at the mercy of signals and of `freeze` only while it calls a method of its process; one that loops
    calls `tick`.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_directory: str
    workload: Workload
    stdio: Stdio
    output: Callable[[str, bytes], None]  #: takes the name of the stream and what was written to it
    catches: set[int] = field(default_factory=set)  #: signals that do not end the program: see `wait_signal`

    def __post_init__(self) -> None:
        self._condition = threading.Condition()
        self._frozen = False
        self._fatal: Exit | None = None
        self._caught: deque[int] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._forked = 0
        self.ended = threading.Event()
        self.exit: Exit | None = None

    # What programs call

    def write(self, text: str | bytes, stream: str = "stdout") -> None:
        """Write to `stdout` or `stderr`."""
        self.tick()
        self.output(stream, text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)

    def read(self) -> bytes:
        """The next piece of standard input; empty at its end."""
        if self.stdio.stdin is None:
            return b""
        while True:
            self.tick()
            ready, _, _ = select.select([self.stdio.stdin, self._wake], [], [])
            if self.stdio.stdin in ready:
                return os.read(self.stdio.stdin, 1 << 16)
            os.eventfd_read(self._wake)

    def tick(self, seconds: float = 0) -> None:
        """Let time pass; nothing goes on while the process is frozen, and a fatal signal ends it here."""
        with self._condition:
            if seconds:
                self._condition.wait_for(lambda: self._fatal or self._frozen, seconds)
            self._go_on()

    def wait_signal(self) -> int:
        """Sleep until a signal of `catches` arrives, and return it."""
        with self._condition:
            self._condition.wait_for(lambda: self._fatal or self._caught)
            self._go_on()
            return self._caught.popleft()

    def caught(self) -> int | None:
        """The next signal of `catches` that has arrived, if any."""
        self.tick()
        return self._caught.popleft() if self._caught else None

    def allocate(self, size: int) -> None:
        """Use `size` bytes of memory: more than the workload may have ends the process, as the kernel would."""
        if (limit := self.workload.resources.memory) is not None and size > limit:
            raise _Ended(Exit(signal=signal.SIGKILL, oom_killed=True))

    def fork(self) -> bool:
        """Start a task; false when the workload has as many as it may."""
        limit = self.workload.resources.pids
        if limit is not None and self._forked + 1 >= limit:
            return False
        self._forked += 1
        return True

    def path(self, inside: str) -> tuple[Path, bool]:
        """The host's path for a path below one of the workload's mounts, and whether it may be written."""
        for mount in self.workload.mounts:
            if PurePosixPath(inside).is_relative_to(mount.target):
                return mount.source / PurePosixPath(inside).relative_to(mount.target), not mount.read_only
        raise FileNotFoundError(inside)

    # What the backend calls

    def run(self, program: Program, done: Callable[[Exit], None]) -> None:
        """Run a program on a thread of its own, and call `done` when it has ended."""

        def body() -> None:
            try:
                how = Exit(code=program(self) or 0)
            except _Ended as ended:
                how = ended.how
            self.exit = how
            with self._condition:  # a signal that comes now must not be written to whatever has the number next
                self.ended.set()
                os.close(self._wake)
            done(how)

        threading.Thread(target=body, name=f"fake {self.argv[0]}", daemon=True).start()

    def signal(self, number: int, *, oom_killed: bool = False) -> None:
        """Send a signal; one that is not caught ends the process, SIGKILL in any case."""
        with self._condition:
            if self.ended.is_set():
                return
            if number in self.catches and number != signal.SIGKILL:
                self._caught.append(number)
            elif self._fatal is None:
                self._fatal = Exit(signal=number, oom_killed=oom_killed)
            self._condition.notify_all()
            os.eventfd_write(self._wake, 1)

    def freeze(self, frozen: bool) -> None:
        """Stop the process until it is thawed; SIGKILL ends it even so."""
        with self._condition:
            self._frozen = frozen
            self._condition.notify_all()

    def tasks(self) -> int:
        """How many tasks the process has, itself included."""
        return 1 + self._forked

    def _go_on(self) -> None:
        self._condition.wait_for(lambda: not self._frozen or (self._fatal and self._fatal.signal == signal.SIGKILL))
        if self._fatal is not None:
            raise _Ended(self._fatal)
