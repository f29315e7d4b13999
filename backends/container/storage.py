"""What a container writes to, on disk: made before the start, removed after the end."""

from __future__ import annotations

import os
from pathlib import Path

from isoscope.backends.container.idmaps import IdMaps
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.files import RemoveTrees, discard
from isoscope.backends.launcher.process import Clone, Finish
from isoscope.core.errors import HostError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record


def upper(directory: Path) -> Path:
    """The upper directory of the overlay."""
    return directory / "upper"


def work(directory: Path) -> Path:
    """What overlayfs needs beside it."""
    return directory / "work"


def make(launch: Launch, maps: IdMaps | None) -> None:
    """Make both, and the volume where one is wanted. Raises HostError."""
    directory = launch.record.directory
    try:
        work(directory).mkdir()
        upper(directory).mkdir()
        # The upper layer's own directory is what "/" looks like inside.
        top = launch.rootfs.layers[-1].stat()
        upper(directory).chmod(top.st_mode & 0o7777)
        if maps is None:
            os.chown(upper(directory), top.st_uid, top.st_gid)
        volume.make(launch)
    except OSError as error:
        raise HostError(f"cannot prepare {directory}: {error.strerror}", hint="free some space") from error


def remove(record: Record, maps: IdMaps | None, launcher: Launcher) -> None:
    """Remove all of it with what is in it. Idempotent. Raises HostError."""
    paths = (work(record.directory) / "work", work(record.directory), upper(record.directory), volume.directory(record))
    if maps is not None and maps.many and any(os.path.lexists(path) for path in paths):
        # Files of the container's other users are not ours to remove, but root's of the same user namespace.
        steps = [maps.step(), RemoveTrees(tuple(str(path) for path in paths)), Finish()]
        request = Request(Clone(("CLONE_NEWUSER",)), [("remove", steps)], ("remove",))
        started = launcher.launch(request, {}, on_cloned=maps.write)
        os.waitid(os.P_PIDFD, started.pidfd, os.WEXITED)
        os.close(started.pidfd)
    try:
        for path in paths:
            discard(str(path))
    except OSError as error:
        raise HostError(
            f"cannot remove {record.directory}: {error.strerror}",
            hint="remove it by hand, after chattr -i where that helps",
        ) from error
