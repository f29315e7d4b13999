"""bwrap's words for the terms that a container of ours has."""

from __future__ import annotations

import os
from collections.abc import Iterator

from isoscope.backends.container.caps import DOCKER_DEFAULT
from isoscope.backends.container.procfs import maskable
from isoscope.backends.launcher import volume
from isoscope.core.launch import Launch
from isoscope.core.workload import Network


def arguments(launch: Launch, tree: str) -> list[str]:
    """What stands before the command, but for descriptors. bwrap carries it out from left to right."""
    words = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup", "--hostname", launch.record.name]
    if launch.workload.network is Network.NONE:
        words.append("--unshare-net")
    words += ["--bind", tree, "/", "--proc", "/proc", "--ro-bind", "/sys", "/sys"]
    words += ["--dev", "/dev", "--mqueue", "/dev/mqueue"]
    words += _masks()
    words += _shown(launch)
    if (directory := launch.working_directory()) != "/":
        words += ["--dir", directory]
    words += ["--chdir", directory, "--cap-drop", "ALL"]
    for capability in DOCKER_DEFAULT:
        words += ["--cap-add", capability]
    return words


def _masks() -> Iterator[str]:
    files, directories = maskable()
    for path in files:
        yield from ("--ro-bind", "/dev/null", path)
    for path in directories:
        yield from ("--tmpfs", path, "--remount-ro", path)


def _shown(launch: Launch) -> Iterator[str]:
    """What is shown of the host."""
    if launch.workload.network is Network.HOST:
        for path in filter(os.path.exists, ("/etc/resolv.conf", "/etc/hosts")):
            yield from ("--ro-bind", path, path)
    if volume.wanted(launch):
        yield from ("--bind", str(volume.directory(launch.record)), volume.TARGET)
    # Outer ones first, or they would cover the inner ones.
    for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts)):
        yield from ("--ro-bind" if mount.read_only else "--bind", str(mount.source), str(mount.target))
