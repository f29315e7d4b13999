"""A minimal /dev, as the OCI runtime specification asks for (config-linux.md, "Default Devices").

The nodes are the host's own, bound one by one: everything else that a container can write to is mounted nodev, so a
node that it makes with CAP_MKNOD opens nothing, and no cgroup of devices is needed.
"""

from __future__ import annotations

import os

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

NODES = ("null", "zero", "full", "random", "urandom", "tty")

_LINKS = (
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
)


class OpenDevices(Step):
    """Take the host's device nodes, to be shown inside."""

    names: tuple[str, ...] = NODES

    def describe(self) -> str:
        return f"open_tree {', '.join(f'/dev/{name}' for name in self.names)} (bind)"

    def execute(self, scene: Scene) -> None:
        for name in self.names:
            tree = syscalls.open_tree(f"/dev/{name}", linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC)
            scene.trees[f"/dev/{name}"] = tree


class ShowDevices(Step):
    """Show the nodes in the new /dev, and the links that programs expect beside them."""

    names: tuple[str, ...] = NODES

    def describe(self) -> str:
        nodes = ", ".join(f"/dev/{name}" for name in self.names)
        return f"move_mount {nodes}; symlink {', '.join(f'/dev/{path}' for _, path in _LINKS)}"

    def execute(self, scene: Scene) -> None:
        for name in self.names:
            tree = scene.trees.pop(f"/dev/{name}")
            os.close(os.open(f"/dev/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            syscalls.move_mount(tree, f"/dev/{name}")
            os.close(tree)
        for text, path in _LINKS:
            os.symlink(text, f"/dev/{path}")
