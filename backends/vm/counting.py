"""A VM's cgroup, which counts QEMU and the daemons that serve its mounts.

It sets no limits: a machine's memory and processors are its limits. libvirt could make cgroups, too, but of its own, in
all hierarchies, and through systemd where that runs.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isoscope.backends.launcher.cgroups import Cgroup, write
from isoscope.backends.launcher.step import Scene
from isoscope.core.errors import HostError
from isoscope.core.inotify import IN_MODIFY, Watch


def make(cgroup: Cgroup) -> None:
    """Make the cgroup. Raises HostError."""
    try:
        for step in cgroup.steps():
            step.execute(Scene({}))
    except OSError as error:
        raise HostError(
            f"cannot make the virtual machine's cgroup: {error.strerror}", hint="isoscope doctor says what is there"
        ) from error


@contextmanager
def entering(cgroup: Cgroup, pid_files: Path, pattern: str) -> Iterator[None]:
    """Meanwhile, put every process into the cgroup whose pid libvirt writes to a file of that pattern.

    libvirt does so before the process executes anything, and memory stays charged to where it was first touched: what
    entered only when QEMU runs would lack the 60 MiB that it takes for itself. Raises HostError.
    """
    if not cgroup.directories:
        yield
        return
    entrance = _Entrance(cgroup, pid_files, pattern)
    try:
        yield
    finally:
        entrance.close()


class _Entrance:
    """A thread that looks at the pid files when they change."""

    def __init__(self, cgroup: Cgroup, directory: Path, pattern: str) -> None:
        self._procs = [f"{path}/cgroup.procs" for path in cgroup.directories.values()]
        self._directory, self._pattern = directory, pattern
        self._seen: set[int] = set()
        try:
            self._watch = Watch(directory, IN_MODIFY)
        except OSError as error:
            raise HostError(
                f"cannot watch {directory}: {error.strerror}", hint="see sysctl fs.inotify.max_user_instances"
            ) from error
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="isoscope-vm-cgroup", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look once more, and end."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        with self._watch:
            self._look()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._watch, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        while all(fd != self._stop for fd, _ in poll.poll()):
            self._watch.drain()
            self._look()

    def _look(self) -> None:
        for file in self._directory.glob(self._pattern):
            with suppress(OSError, ValueError):  # gone, not written yet, or its process has ended
                pid = int(file.read_text())
                if pid not in self._seen:
                    self._seen.add(pid)
                    for procs in self._procs:
                        write(procs, str(pid))
