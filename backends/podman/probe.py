"""Whether podman can make containers here, found out by having it make one with nothing in it."""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path

from isoscope.backends.launcher.cgroups import FOLDER, Cgroup, Tree
from isoscope.backends.peer.faults import plain
from isoscope.backends.podman.command import Podman, rlimits
from isoscope.backends.podman.store import call, remove
from isoscope.core.errors import BackendUnavailable
from isoscope.core.registry import process_start_time

_PREFIX = "isoscope-podman-"
_NOT_THERE = "/isoscope-is-not-there"
_NOT_FOUND = 127  # podman-run(1), "Exit Status"


def check(podman: Podman, tree: Tree) -> None:
    """Have it run a command that does not exist, the last thing that it can stumble over. Raises BackendUnavailable."""
    home, mark = podman.directory.parent, f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    cgroup = tree.of_runtime(mark)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="podman-", dir=home) as scratch:
        tried = replace(podman, directory=Path(scratch) / "store")
        root = Path(scratch) / "rootfs"
        root.mkdir()
        try:
            tree.prepare(cgroup)
            tried.prepare()
            words = ["run", "--rm", "--network", "none", "--cgroup-parent", f"/{FOLDER}/{mark}", *rlimits()]
            done = call(tried, *words, "--rootfs", str(root), _NOT_THERE)
        finally:
            cgroup.end()
            tree.clean()
            remove(tried)
    if done.returncode != _NOT_FOUND:
        raise BackendUnavailable(
            f"podman cannot run containers here: {plain(done.stderr)}",
            hint="podman:runtime=runc needs the least; others want a host with cgroups of version 2 alone",
        )


def sweep(tree: Tree) -> list[str]:
    """Remove the cgroups of checks that were killed. Returns a line for each."""
    left = {path.name for folder in set(tree.folders.values()) for path in folder.glob(f"{_PREFIX}*")}
    dead = [mark for mark in left if process_start_time(int(mark.split("-")[2])) is None]
    for mark in dead:
        Cgroup(dict(tree.of_runtime(mark).directories)).end()
    return [f"removed cgroup {FOLDER}/{mark}" for mark in sorted(dead)]
