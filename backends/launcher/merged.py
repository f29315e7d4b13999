"""The image's tree on the host, for what cannot mount it by itself: an overlay with the instance's own upper layer.

Mounted at `HOME/mounts/MARK`, outside of the record's directory: that is removed with everything below it, and behind
what is mounted in such a tree may stand the host's own files.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from isoscope.backends.launcher import linux, syscalls, volume
from isoscope.backends.launcher.files import discard
from isoscope.backends.launcher.mounts import Overlay
from isoscope.core.errors import HostError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record


def place(home: Path, record: Record) -> Path:
    """Where the tree is mounted."""
    return home / "mounts" / record.mark


def upper(record: Record) -> Path:
    """The instance's own layer."""
    return record.directory / "upper"


def work(record: Record) -> Path:
    """What overlayfs needs beside it."""
    return record.directory / "work"


def make(launch: Launch, home: Path) -> None:
    """Make the directories, and the volume where one is wanted. Raises HostError."""
    record = launch.record
    try:
        for directory in (place(home, record), upper(record), work(record)):
            directory.mkdir(parents=True)
        # The upper layer's own directory is what "/" looks like inside.
        top = launch.rootfs.layers[-1].stat()
        upper(record).chmod(top.st_mode & 0o7777)
        os.chown(upper(record), top.st_uid, top.st_gid)
        volume.make(launch)
    except OSError as error:
        raise HostError(
            f"cannot prepare {record.directory}: {error.strerror}", hint="free some space; see isoscope doctor"
        ) from error


def overlay(launch: Launch, home: Path) -> Overlay:
    """What mounts it."""
    record = launch.record
    return Overlay(
        source=record.mark,
        layers=tuple(str(layer) for layer in launch.rootfs.layers),
        upper=str(upper(record)),
        work=str(work(record)),
        target=str(place(home, record)),
    )


def remove(record: Record, home: Path) -> None:
    """Unmount it, with all that is mounted in it, and remove what was made for it. Idempotent. Raises HostError."""
    try:
        _unmount(place(home, record))
    except OSError as error:
        raise HostError(
            f"cannot unmount the tree of {record.name!r}: {error.strerror}",
            hint="see findmnt, and unmount it by hand",
        ) from error
    try:
        for path in (work(record) / "work", work(record), upper(record), volume.directory(record)):
            discard(str(path))
    except OSError as error:
        raise HostError(
            f"cannot remove {record.directory}: {error.strerror}",
            hint="remove it by hand, after chattr -i where that helps",
        ) from error


def clean(home: Path) -> None:
    """Remove the folder of all trees when none is left."""
    try:
        (home / "mounts").rmdir()
    except OSError:  # instances are still there, or there never was any
        return


def _unmount(root: Path) -> None:
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
