"""The cgroup hierarchies that only peers enter: they know more of them than we have a use for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from isoscope.backends.launcher.cgroups import FOLDER, Tree

_NOT_NAMES = frozenset({"rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode"})


def widened(tree: Tree, mountinfo: str | None = None) -> Tree:
    """The same tree with a folder in every hierarchy of version 1 that is mounted here; proc_pid_mountinfo(5).

    `cpuset`, `devices` and the one named `systemd` are among them.
    """
    mountinfo = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    folders = dict(tree.folders)
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), before.split()[4])
        kind, _, options = (*after.split(), "", "")[:3]
        names = [option.removeprefix("name=") for option in options.split(",") if option not in _NOT_NAMES]
        if kind == "cgroup" and names and not folders.keys() & set(names):
            folders[names[0]] = Path(point) / FOLDER
    return replace(tree, folders=folders)
