"""bwrap's words for the terms that a container of ours has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from isoscope.backends.container.caps import DOCKER_DEFAULT
from isoscope.backends.container.procfs import READ_ONLY, maskable
from isoscope.backends.launcher import volume
from isoscope.backends.peer import links
from isoscope.core.launch import Launch
from isoscope.core.workload import Network


def arguments(launch: Launch, tree: Path) -> list[str]:
    """What stands before the command, but for descriptors. bwrap carries it out from left to right."""
    words = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup", "--hostname", launch.record.name]
    if launch.workload.network is Network.NONE:
        words.append("--unshare-net")
    words += ["--bind", str(tree), "/", "--proc", "/proc", "--ro-bind", "/sys", "/sys"]
    words += ["--dev", "/dev", "--mqueue", "/dev/mqueue"]
    words += _masks()
    for shown in _shown(launch):
        words += shown
    if _missing(launch, tree):
        words += ["--dir", launch.working_directory()]
    words += ["--chdir", launch.working_directory(), "--cap-drop", "ALL"]
    for capability in DOCKER_DEFAULT:
        words += ["--cap-add", capability]
    return words


def refuse_links(launch: Launch, tree: Path) -> None:
    """Raise ImageError where bwrap would mount on, or make, what a link of the image names.

    It looks paths up with the host's root still in sight, so such a link could lead there.
    """
    targets = ["/proc", "/sys", "/dev", *(words[-1] for words in _shown(launch))]
    if _missing(launch, tree):
        targets.append(launch.working_directory())
    links.refuse("bubblewrap", tree, targets)


def _missing(launch: Launch, tree: Path) -> bool:
    """Whether the working directory is to be made."""
    return not os.path.lexists(tree / launch.working_directory().lstrip("/"))


def _masks() -> Iterator[str]:
    # bwrap itself leaves /proc/sys to root, who could then set the host's kernel.core_pattern.
    for path in filter(os.path.exists, READ_ONLY):
        yield from ("--ro-bind", path, path)
    files, directories = maskable()
    for path in files:
        yield from ("--ro-bind", "/dev/null", path)
    for path in directories:
        yield from ("--tmpfs", path, "--remount-ro", path)


def _shown(launch: Launch) -> Iterator[tuple[str, str, str]]:
    """What is shown of the host: how, what, and where."""
    if launch.workload.network is Network.HOST:
        for path in filter(os.path.exists, ("/etc/resolv.conf", "/etc/hosts")):
            yield "--ro-bind", path, path
    if volume.wanted(launch):
        yield "--bind", str(volume.directory(launch.record)), volume.TARGET
    # Outer ones first, or they would cover the inner ones.
    for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts)):
        yield ("--ro-bind" if mount.read_only else "--bind", str(mount.source), str(mount.target))
