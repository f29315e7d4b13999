"""Links in an image that a peer would follow while the host's root is in sight: they may lead out of the image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from isoscope.core.errors import ImageError


def refuse(peer: str, tree: Path, targets: Iterable[str]) -> None:
    """Raise ImageError where one of the paths in the tree is, or leads through, a link."""
    for target in targets:
        path = tree
        for part in PurePosixPath(target).parts[1:]:
            path /= part
            if path.is_symlink():
                raise ImageError(
                    f"{peer} would follow the image's link {str(path.relative_to(tree))!r}, maybe out of it",
                    hint="take another backend, or show nothing there",
                )
