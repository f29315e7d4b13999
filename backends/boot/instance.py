"""One boot: a QEMU from its execution to its end."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from isoscope.backends.boot.machine import Machine
from isoscope.backends.launcher.task import Task
from isoscope.backends.vm.process import QemuProcess
from isoscope.core.errors import InstanceFailed
from isoscope.core.instance import Exit, Instance, Stats
from isoscope.core.launch import Launch
from isoscope.images.guest.exit_port import DONE_STATUS


class BootInstance(Instance):
    """A QEMU whose guest ends it as soon as its first process runs, or stays.

    Phases: `exec` until execve(2) of QEMU has succeeded, `ready` to QEMU's end, or to the line of a guest that stays.
    """

    phases: ClassVar[tuple[str, ...]] = ("exec", "ready")

    def __init__(self, launch: Launch, machine: Machine, proof: dict[str, str]) -> None:
        super().__init__(launch)
        self._machine, self._known = machine, proof
        self._task: Task | None = None
        self._pid = 0
        self._asked_to_end = 0  #: the last signal that was sent

    def _start(self) -> None:
        self.record.claim(boot={"stays": self._machine.stays})
        streams = {name: os.pipe2(os.O_CLOEXEC) for name in ("stdout", "stderr")}
        try:
            self._pid = _spawn(self._machine.command(), streams["stdout"][1], streams["stderr"][1])
        except OSError as error:
            for ours, _ in streams.values():
                os.close(ours)
            raise InstanceFailed(f"cannot execute {self._machine.emulator}: {error.strerror}") from error
        finally:
            for _, theirs in streams.values():
                os.close(theirs)
        # Nobody else waits for it, so the number is still its own.
        self._task = Task(
            self.launch.pump,
            os.pidfd_open(self._pid),
            {name: ours for name, (ours, _) in streams.items()},
            on_output=self._said,
            on_exit=self._ended,
        )
        self.timeline.mark("exec")
        self._task.follow()

    def _said(self, stream: str, data: bytes, at_ns: int) -> None:
        if stream == "stderr":  # QEMU's own complaints are no sign of a guest
            self.log.write(stream, data)
        else:
            self.saw_output(stream, data, at_ns)

    def _ended(self, how: Exit, at_ns: int) -> None:
        """QEMU's status tells how far the guest came: its end at the port is the only success."""
        if how.code == DONE_STATUS:
            how = Exit(code=0)
        elif how.code == 0 and self._asked_to_end:  # QEMU ends with status 0 when it is told to
            how = Exit(signal=self._asked_to_end)
        elif how.code == 0:  # it was powered off, or its kernel panicked, before that
            self.log.write("stderr", b"isoscope: the guest ended before it came to the exit port\n")
            how = Exit(code=1)
        self.saw_exit(how, at_ns)

    def _kill(self, signal_number: int) -> None:
        assert self._task is not None
        self._asked_to_end = signal_number
        self._task.kill(signal_number)

    def _host_pids(self) -> tuple[int, ...]:
        return (self._pid,)

    def _stats(self) -> Stats:
        assert self._task is not None
        with self._task.descriptor() as pidfd:
            return QemuProcess(self._pid, pidfd).stats()

    def _delete(self) -> None:
        if self._task is not None:
            self._task.kill(signal.SIGKILL)
            self._exited.wait()
            self._task.close()

    def proof(self) -> dict[str, str]:
        return dict(self._known)


def _spawn(command: tuple[str, ...], stdout: int, stderr: int) -> int:
    """Execute a program in a session of its own, out of the reach of the terminal's signals. Raises OSError."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    return os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsid=True)


def end_left_behind(mark: str) -> None:
    """End the QEMU that a dead owner started under this mark, if it runs. It was told its name as an argument."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            pidfd = os.pidfd_open(int(entry.name))
            process = QemuProcess(int(entry.name), pidfd)
            # Read after the pidfd pins the process: the number cannot become another's in between unnoticed.
            if b"guest=" + os.fsencode(mark) in (entry / "cmdline").read_bytes().split(b"\0"):
                process.kill()
            process.close()
