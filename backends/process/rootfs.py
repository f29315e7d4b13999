"""The image's tree on the host, where a plain process can chroot into it: an overlay with the host's /dev, /proc, /sys.

Mounted at `HOME/mounts/MARK`, outside of the record's directory: that is removed with everything below it, and behind
these mounts stand the host's own devices.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.mounts import Overlay
from isoscope.backends.launcher.step import Scene, Step
from isoscope.core.launch import Launch
from isoscope.core.registry import Record

_HOSTS = ("/dev", "/proc", "/sys", "/etc/resolv.conf")
_MS_PRIVATE = linux.MS_PRIVATE


class BindInside(Step):
    """Show a directory or file of the host below the root of a process that has no mount namespace of its own.

    The target is looked up as if the root were "/" (openat2(2), RESOLVE_IN_ROOT): no link in the image leads out of it.
    """

    root: str
    source: str
    target: str
    attributes: int = 0

    def describe(self) -> str:
        return f"open_tree {self.source}, move_mount to {self.root}{self.target}"

    def execute(self, scene: Scene) -> None:
        recursive = linux.AT_RECURSIVE
        tree = syscalls.open_tree(self.source, linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC | recursive)
        try:
            # Private: what is unmounted here later must not go from the host, too.
            syscalls.mount_setattr(tree, recursive, self.attributes, _MS_PRIVATE)
            is_directory = os.path.isdir(self.source)
            target = open_in_root(self.root, self.target, directory=is_directory)
            try:
                syscalls.move_mount(tree, "", target, linux.MOVE_MOUNT_T_EMPTY_PATH)
            finally:
                os.close(target)
        finally:
            os.close(tree)


def open_in_root(root: str, path: str, *, directory: bool) -> int:
    """A descriptor (O_PATH) of a mount point below `root`, made when it is missing. Raises OSError."""
    top = os.open(root, linux.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        parts = [part for part in path.split("/") if part]
        for depth in range(1, len(parts) + 1):
            try:
                os.close(syscalls.openat2(top, "/".join(parts[:depth]), linux.O_PATH, linux.RESOLVE_IN_ROOT))
            except FileNotFoundError:
                _make(top, parts[: depth - 1], parts[depth - 1], directory=directory or depth < len(parts))
        return syscalls.openat2(top, "/".join(parts), linux.O_PATH, linux.RESOLVE_IN_ROOT)
    finally:
        os.close(top)


def _make(top: int, parents: list[str], name: str, *, directory: bool) -> None:
    parent = syscalls.openat2(top, "/".join(parents) or ".", linux.O_PATH | os.O_DIRECTORY, linux.RESOLVE_IN_ROOT)
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent)
        else:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent))
    finally:
        os.close(parent)


def place(home: Path, record: Record) -> Path:
    """Where the tree is mounted."""
    return home / "mounts" / record.mark


def upper(record: Record) -> Path:
    """The instance's own layer."""
    return record.directory / "upper"


def work(record: Record) -> Path:
    """What overlayfs needs beside it."""
    return record.directory / "work"


def steps(launch: Launch, root: Path) -> list[Step]:
    """What mounts the tree."""
    made: list[Step] = [
        Overlay(
            source=launch.record.mark,
            layers=tuple(str(layer) for layer in launch.rootfs.layers),
            upper=str(upper(launch.record)),
            work=str(work(launch.record)),
            target=str(root),
        ),
        *(BindInside(str(root), path, path) for path in _HOSTS if os.path.exists(path)),
    ]
    for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts)):
        attributes = linux.MOUNT_ATTR_RDONLY if mount.read_only else 0
        made.append(BindInside(str(root), str(mount.source), str(mount.target), attributes))
    return made


def unmount(root: Path) -> None:
    """Unmount the tree with all that is mounted in it. Idempotent. Raises OSError."""
    try:
        while True:
            syscalls.umount2(str(root), linux.MNT_DETACH | linux.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):  # EINVAL: it is no mount point, or no longer
            raise
    try:
        root.rmdir()
    except FileNotFoundError:
        return
