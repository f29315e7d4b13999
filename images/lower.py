"""Look up a path in a stack of overlayfs lower directories, as the kernel would, without mounting it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path


def find(layers: Sequence[Path], parts: Sequence[str]) -> os.stat_result | None:
    """The status of what a path names in the merged tree; None when there is nothing.

    `layers` come lowest first. Symbolic links are not followed: below one there is nothing.
    """
    for layer in reversed(layers):
        found, hidden = _find_in(layer, parts)
        if found is not None or hidden:
            return found
    return None


def _find_in(layer: Path, parts: Sequence[str]) -> tuple[os.stat_result | None, bool]:
    """What one layer says: what it has, and whether it hides the layers below there."""
    path, opaque = os.fspath(layer), False
    for depth, part in enumerate(parts, 1):
        path = os.path.join(path, part)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None, opaque
        if is_whiteout(found):
            return None, True
        if depth == len(parts):
            return found, True
        if not stat.S_ISDIR(found.st_mode):
            return None, True
        opaque = opaque or is_opaque(path)
    return None, opaque


def is_whiteout(status: os.stat_result) -> bool:
    """Whether this is an overlayfs whiteout: a character device 0:0."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: str | Path) -> bool:
    """Whether a directory hides what the layers below have in theirs."""
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:  # it has none, or the file system keeps none
            continue
    return False
