"""The backend: what Isoscope asks for, and what the kernel is told."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

from isoscope.core import Capabilities, Exit, Instance, Network
from isoscope.core.backend import Backend, Lack, Step
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InstanceFailed
from isoscope.core.launch import Launch
from isoscope.core.registry import Record

from isoscope_example import enter


class ExampleBackend(Backend):
    """Namespaces for mounts, pids and (but for `network=host`) the network; the image's layers overlaid; chroot(2)."""

    name: ClassVar[str] = "example"
    summary: ClassVar[str] = "a few namespaces and a chroot, to show how a backend is written"
    capabilities: ClassVar[Capabilities] = Capabilities(networks=frozenset({Network.NONE, Network.HOST}))

    def lacks(self) -> list[Lack]:
        return [] if os.geteuid() == 0 else [Lack("unshare(2), mount(2) and chroot(2) need root", "run it with sudo")]

    def plan(self, launch: Launch) -> list[Step]:
        network = "" if launch.workload.network is Network.HOST else "|CLONE_NEWNET"
        return [
            Step("exec", f"unshare CLONE_NEWNS|CLONE_NEWPID{network}"),
            Step("exec", f"mount overlay of {len(launch.rootfs.layers)} layers, chroot"),
            Step("exec", f"execve {launch.workload.command[0]}"),
        ]

    def create(self, launch: Launch) -> ExampleInstance:
        return ExampleInstance(launch)  # nothing is made before start, so there is nothing to undo

    def reclaim(self, record: Record) -> None:
        """End what a dead owner left: the workload first, whose end ends the helper, and not before all is over."""
        helper = _find_helper(record)
        if helper is None:
            return
        children = Path(f"/proc/{helper}/task/{helper}/children").read_text().split()
        for pid in [*map(int, children), helper]:
            with suppress(ProcessLookupError):
                pidfd = os.pidfd_open(pid)
                if pid != helper or not children:  # a helper that had not forked yet
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                select.select([pidfd], [], [])
                os.close(pidfd)


class ExampleInstance(Instance):
    """The helper, and below it the workload."""

    phases = ("exec", "ready")

    def __init__(self, launch: Launch) -> None:
        super().__init__(launch)
        self._helper: subprocess.Popen[bytes] | None = None
        self._helper_pidfd = self._workload_pidfd = -1

    def _start(self) -> None:
        stdio = self.launch.stdio
        status, theirs = os.pipe2(os.O_CLOEXEC)
        command = [sys.executable, "-I", "-S", enter.__file__, self.record.mark, str(theirs), str(self._write_terms())]
        self._helper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdio.stdin is None else stdio.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs],
            start_new_session=True,  # so that a Ctrl-C at the terminal is ours to pass on
        )
        os.close(theirs)
        with open(status, encoding="utf-8", errors="surrogateescape") as lines:
            said = dict(line.rstrip("\n").split("=", 1) for line in lines)
        self._raise_trouble(said)
        self.timeline.mark("exec")
        with suppress(ProcessLookupError):  # it has ended already
            self._workload_pidfd = os.pidfd_open(int(said["pid"]))
        self._helper_pidfd = os.pidfd_open(self._helper.pid)
        for stream in ("stdout", "stderr"):
            self.launch.pump.add(self._pipe(stream), partial(self._on_output, stream))
        self.launch.pump.add(self._helper_pidfd, self._ended)

    def _kill(self, signal_number: int) -> None:
        if self._workload_pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._workload_pidfd, signal_number)

    def _delete(self) -> None:
        if self._helper is None:
            return
        self._kill(signal.SIGKILL)
        if self._helper_pidfd >= 0:
            self._exited.wait()  # the pump thread sees it
        self._helper.wait()
        for stream in ("stdout", "stderr"):
            getattr(self._helper, stream).close()
        for pidfd in (self._helper_pidfd, self._workload_pidfd):
            if pidfd >= 0:
                os.close(pidfd)

    def proof(self) -> dict[str, str]:
        return {"kernel": os.uname().release}

    def _write_terms(self) -> Path:
        """What the helper is to do. A file of the record's, for a command line may be too short for it."""
        terms = {
            "directory": str(self.record.directory),
            "layers": [str(layer) for layer in self.launch.rootfs.layers],
            "host_network": self.workload.network is Network.HOST,
            "working_directory": self.launch.working_directory(),
            "command": self.workload.command,
            "environment": self.launch.environment(),
        }
        file = self.record.directory / "terms.json"
        file.write_text(json.dumps(terms), encoding="ascii")
        return file

    def _raise_trouble(self, said: dict[str, str]) -> None:
        command = self.workload.command[0]
        if said.get("errno") == str(errno.ENOENT):
            raise CommandNotFound(command)
        if "errno" in said:
            raise CommandNotExecutable(command, os.strerror(int(said["errno"])))
        if "pid" not in said or "trouble" in said:
            raise InstanceFailed(f"cannot set up {self.record.name!r}: {said.get('trouble', 'the helper failed')}")

    def _pipe(self, stream: str) -> int:
        return int(getattr(self._helper, stream).fileno())

    def _on_output(self, stream: str) -> None:
        self._take(stream)

    def _take(self, stream: str) -> bytes:
        if data := os.read(self._pipe(stream), 1 << 16):
            self.saw_output(stream, data)
        else:
            self.launch.pump.remove(self._pipe(stream))
        return data

    def _ended(self) -> None:
        """The helper ends after everything in the pid namespace, so what is in the pipes now is all there will be."""
        assert self._helper is not None
        self.launch.pump.remove(self._helper_pidfd)
        for stream in ("stdout", "stderr"):
            while self._take(stream):
                pass
        code = self._helper.wait()
        self.saw_exit(Exit(code=code) if code >= 0 else Exit(signal=-code))


def _find_helper(record: Record) -> int | None:
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end while we look
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
            if arguments[3:5] == [os.fsencode(enter.__file__), record.mark.encode()]:
                return int(directory.name)
    return None
