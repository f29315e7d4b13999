"""The image's tree on the host, where a plain process can chroot into it: an overlay with the host's /dev, /proc, /sys.

Mounted at `HOME/mounts/MARK`, outside of the record's directory: that is removed with everything below it, and behind
these mounts stand the host's own devices.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from isoscope.backends.launcher import linux, syscalls, volume
from isoscope.backends.launcher.mounts import AttachTree, OpenTree, Overlay
from isoscope.backends.launcher.process import ChangeRoot, Finish
from isoscope.backends.launcher.step import Step
from isoscope.core.launch import Launch
from isoscope.core.registry import Record

_HOSTS = ("/dev", "/proc", "/sys", "/etc/resolv.conf")


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
    """What mounts the tree, in a child of its own.

    That has changed its root before it looks up any mount point, so no link in the image leads out of the image.
    """
    overlay = Overlay(
        source=launch.record.mark,
        layers=tuple(str(layer) for layer in launch.rootfs.layers),
        upper=str(upper(launch.record)),
        work=str(work(launch.record)),
        target=str(root),
    )
    wanted = [(path, path, 0) for path in _HOSTS if os.path.exists(path)]
    if volume.wanted(launch):
        wanted.append((str(volume.directory(launch.record)), volume.TARGET, 0))
    wanted += (
        (str(mount.source), str(mount.target), linux.MOUNT_ATTR_RDONLY if mount.read_only else 0)
        for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts))
    )
    taken = [OpenTree(source, target, attributes, private=True) for source, target, attributes in wanted]
    return [*taken, overlay, ChangeRoot(str(root)), *(AttachTree(target) for _, target, _ in wanted), Finish()]


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
