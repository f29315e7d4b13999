"""Whether podman can make containers here, found out by having it make one with nothing in it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from isoscope.backends.launcher.cgroups import FOLDER, Tree
from isoscope.backends.peer import trial
from isoscope.backends.peer.faults import plain
from isoscope.backends.podman.command import Podman, rlimits
from isoscope.backends.podman.store import call, remove
from isoscope.core.errors import BackendUnavailable

_NOT_FOUND = 127  # podman-run(1), "Exit Status"


def check(podman: Podman, tree: Tree) -> None:
    """Have it run a command that does not exist, the last thing that it can stumble over. Raises BackendUnavailable."""
    home, mark = podman.directory.parent, trial.mark("podman")
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
            done = call(tried, *words, "--rootfs", str(root), trial.NO_COMMAND)
        finally:
            cgroup.end()
            tree.clean()
            remove(tried)
    if done.returncode != _NOT_FOUND:
        raise BackendUnavailable(
            f"podman cannot run containers here: {plain(done.stderr)}",
            hint="podman:runtime=runc needs the least; others want a host with cgroups of version 2 alone",
        )
