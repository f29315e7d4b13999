"""podman's words for a launch; podman-run(1)."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isoscope.backends.launcher import volume
from isoscope.backends.launcher.cgroups import FOLDER
from isoscope.backends.peer.program import Program
from isoscope.core.errors import InputError
from isoscope.core.launch import Launch

_RUN = Path("/run/isoscope")
_CAP_SYS_RESOURCE = 24  # linux/capability.h

#: Nothing of the user's: neither settings, nor the locks that all of podman shares in /dev/shm.
_SETTINGS = """[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
"""


@dataclass(frozen=True)
class Podman:
    """podman with a store of its own below a state directory."""

    program: Program
    directory: Path
    runtime: str

    @property
    def volatile(self) -> Path:
        """Where it keeps what a boot ends: podman takes no path of more than 50 characters for that."""
        key = hashlib.sha256(os.fsencode(os.path.realpath(self.directory))).hexdigest()[:12]
        return _RUN / f"podman-{key}"

    def prepare(self) -> None:
        """Write down its settings. Raises OSError."""
        self.volatile.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "containers.conf"
        if not settings.exists():
            partial = settings.with_suffix(f".{os.getpid()}")
            partial.write_text(_SETTINGS)
            partial.replace(settings)

    def environment(self) -> dict[str, str]:
        """That of its process."""
        return {"PATH": os.environ.get("PATH", os.defpath), "CONTAINERS_CONF": str(self.directory / "containers.conf")}

    def line(self, *arguments: str) -> tuple[str, ...]:
        """A command line. The storage driver is the one that mounts nothing, for the tree is ours."""
        return (
            *(self.program.path, "--root", str(self.directory / "root"), "--runroot", str(self.volatile / "run")),
            *("--tmpdir", str(self.volatile / "tmp"), "--storage-driver", "vfs", "--runtime", self.runtime),
            *arguments,
        )

    def run(self, launch: Launch, tree: str) -> tuple[str, ...]:
        """The command line of a start."""
        record, workload = launch.record, launch.workload
        words = ["run", "--name", record.mark, "--cidfile", str(identity_file(record.directory)), "--pull", "never"]
        words += ["--cgroup-parent", f"/{FOLDER}/{record.mark}", "--network", workload.network.value]
        words += ["--workdir", launch.working_directory(), *_limits(launch), *rlimits(), *_mounts(launch)]
        if launch.rootfs.user:
            words += ["--user", launch.rootfs.user]
        if launch.stdio.stdin is not None:
            words.append("--interactive")
        if workload.terminal:
            words.append("--tty")
        for name, value in launch.environment().items():
            words += ["--env", f"{name}={value}"]
        return self.line(*words, "--rootfs", tree, *workload.command)


def identity_file(directory: Path) -> Path:
    """Where podman writes the container's id once it has made it."""
    return directory / "cid"


def _limits(launch: Launch) -> Iterator[str]:
    limits = launch.workload.resources
    if limits.cpus is not None:
        yield from ("--cpus", str(limits.cpus))
    if limits.memory is not None:
        yield from ("--memory", str(limits.memory), "--memory-swap", str(limits.memory))  # equal: no swap
    if limits.pids is not None:
        yield from ("--pids-limit", str(limits.pids))


def rlimits() -> Iterator[str]:
    """Podman raises these to 1048576, which needs a capability that root may lack; then, what the caller has.

    Of processes, podman itself has no more than there may be pids.
    """
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    if effective >> _CAP_SYS_RESOURCE & 1:
        return
    pids = int(Path("/proc/sys/kernel/pid_max").read_text())
    for name, number, most in (("nofile", resource.RLIMIT_NOFILE, None), ("nproc", resource.RLIMIT_NPROC, pids)):
        soft, hard = resource.getrlimit(number)
        if most is not None:
            soft, hard = (most if value == resource.RLIM_INFINITY else min(value, most) for value in (soft, hard))
        yield from ("--ulimit", f"{name}={soft}:{hard}")


def _mounts(launch: Launch) -> Iterator[str]:
    if volume.wanted(launch):
        yield from ("--volume", f"{volume.directory(launch.record)}:{volume.TARGET}")
    for mount in launch.workload.mounts:
        if ":" in f"{mount.source}{mount.target}":
            raise InputError(
                f"podman cannot show {str(mount.source)!r}: a colon", hint="rename it, or bind it elsewhere"
            )
        yield from ("--volume", f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'}")
