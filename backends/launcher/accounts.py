"""The user of an image, looked up in its layers before the start: overlayfs is spared, and the clock."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from isoscope.backends.launcher import users
from isoscope.core.rootfs import Rootfs

_MOST = 1 << 20  # bytes, as much as `users.read` takes
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")

Account = tuple[int, int, tuple[int, ...], str]


def account(rootfs: Rootfs) -> Account | None:
    """User, group, supplementary groups and home; None where only a look from inside can tell.

    Nothing but plain files in plain directories is read here: a link of the image would lead to the host's files.
    """
    passwd, group = _read(rootfs.layers, "passwd"), _read(rootfs.layers, "group")
    if passwd is None or group is None:
        return None
    try:
        return users.resolve(rootfs.user, passwd, group)
    except users.UnknownUser:  # for the start to say
        return None


def _read(layers: tuple[Path, ...], name: str) -> str | None:
    """A file of /etc, or "" when there is none; None when that is not plain to see."""
    for layer in reversed(layers):
        try:
            etc = os.lstat(layer / "etc")
            if not stat.S_ISDIR(etc.st_mode):
                return None
            file = os.lstat(layer / "etc" / name)
        except FileNotFoundError:
            if _is_opaque(layer / "etc"):
                return ""
            continue
        if not stat.S_ISREG(file.st_mode) or file.st_size > _MOST or not file.st_size:
            return None  # a link, a whiteout of either kind, or a trap
        return users.read(str(layer / "etc" / name))
    return ""


def _is_opaque(directory: Path) -> bool:
    """Whether a directory hides those of the layers below; overlayfs.rst, "whiteouts and opaque directories"."""
    for name in _OPAQUE:
        try:
            if os.getxattr(directory, name, follow_symlinks=False) == b"y":
                return True
        except OSError:  # it has none, or there is no such directory
            continue
    return False
