"""A Docker Engine for tests: in a network namespace of its own, with everything that it keeps in one directory.

Its bridge and its packet filter touch nothing of the host's, and no other engine sees its containers.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from isoscope.core.patience import patience
from isoscope.testing.host import HostSnapshot

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_START = 60.0  #: seconds for dockerd(8) to be ready; 2 on a host at rest


def can_run() -> bool:
    """Whether an engine is installed, and the caller may start one."""
    return os.geteuid() == 0 and shutil.which("dockerd", path=_PATH) is not None


class EngineProcess:
    """One dockerd(8) with the containerd(8) that it starts. `directory` must have a short path, for its sockets."""

    def __init__(self, directory: Path, arguments: Sequence[str] = ()) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.address = f"unix://{self.socket}"
        self.cgroup = f"isoscope-engine-{directory.name}"  #: in which its containers' are, in each hierarchy
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._orphans = False  #: whether containers may run that a crash has left

    @property
    def pid(self) -> int:
        """The daemon's own."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it, and return once it takes requests: it says so as sd_notify(3) has it."""
        notified = self.directory / "notify"
        notified.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(self.directory / "log", "ab") as log:
            ready.bind(str(notified))
            ready.settimeout(patience(_START))
            self._process = subprocess.Popen(
                [
                    *("unshare", "--net", "dockerd", "--host", self.address, "--cgroup-parent", f"/{self.cgroup}"),
                    *("--data-root", str(self.directory / "data"), "--exec-root", str(self.directory / "run")),
                    *("--pidfile", str(self.directory / "pid"), *self._arguments),
                ],
                env={"PATH": _PATH, "NOTIFY_SOCKET": str(notified)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the tests to handle
            )
            try:
                while b"READY=1" not in ready.recv(4096):
                    pass
            except BaseException:
                self._end(signal.SIGKILL)
                raise
        self._orphans = False
        return self

    def kill(self) -> None:
        """End it as a crash would: its containers run on."""
        self._end(signal.SIGKILL)
        self._orphans = True
        # Its containerd dies with it. Until the host's init puts that away, the next dockerd takes it for alive.
        (self.directory / "run/containerd/containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it, and its containers with it, also those that outlived a crash. Idempotent."""
        if self._orphans:
            self.start()
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    def remove(self) -> list[str]:
        """Remove what it kept, after `stop`. Returns a line for each thing that it left and should not have."""
        self._remove_cgroups()
        # It keeps the namespace by which containers have the host's network, and after a crash its own directory, bound
        # to itself, and never lets go of them.
        for path in ("run/netns/default", "data"):
            subprocess.run(["umount", self.directory / path], stderr=subprocess.DEVNULL, check=False)
        left = HostSnapshot.take(self.directory)
        found = [f"process {line}" for line in left.processes] + [f"mount {line}" for line in left.mounts]
        if not left.mounts:  # never through a mount: behind it may stand a directory of the host
            shutil.rmtree(self.directory / "data", ignore_errors=True)
            shutil.rmtree(self.directory / "run", ignore_errors=True)
        return found

    def _remove_cgroups(self) -> None:
        for tree in [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")]:
            for directory, _, _ in os.walk(tree / self.cgroup, topdown=False):
                with suppress(OSError):
                    os.rmdir(directory)


@contextmanager
def running_engine(directory: Path, arguments: Sequence[str] = ()) -> Iterator[EngineProcess]:
    """An engine that runs; in the end it goes, with all that it kept. Fails when it leaves anything else."""
    engine = EngineProcess(directory, arguments).start()
    try:
        yield engine
    finally:
        engine.stop()
        left = engine.remove()
    assert not left, "the engine left:\n" + "\n".join(left)
