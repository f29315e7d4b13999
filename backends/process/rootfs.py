"""The image's tree where a plain process can chroot into it: merged, with the host's /dev, /proc and /sys in it."""

from __future__ import annotations

import os
from pathlib import Path

from isoscope.backends.launcher import linux, merged, volume
from isoscope.backends.launcher.mounts import AttachTree, OpenTree
from isoscope.backends.launcher.process import ChangeRoot, Finish
from isoscope.backends.launcher.step import Step
from isoscope.core.launch import Launch

_HOSTS = ("/dev", "/proc", "/sys", "/etc/resolv.conf")


def steps(launch: Launch, home: Path) -> list[Step]:
    """What mounts the tree, in a child of its own.

    That has changed its root before it looks up any mount point, so no link in the image leads out of the image.
    """
    overlay = merged.overlay(launch, home)
    wanted = [(path, path, 0) for path in _HOSTS if os.path.exists(path)]
    if volume.wanted(launch):
        wanted.append((str(volume.directory(launch.record)), volume.TARGET, 0))
    wanted += (
        (str(mount.source), str(mount.target), linux.MOUNT_ATTR_RDONLY if mount.read_only else 0)
        for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts))
    )
    taken = [OpenTree(source, target, attributes, private=True) for source, target, attributes in wanted]
    return [*taken, overlay, ChangeRoot(overlay.target), *(AttachTree(target) for _, target, _ in wanted), Finish()]
