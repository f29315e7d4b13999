"""Removing what instances leave in their own directories."""

from __future__ import annotations

import errno
import os

from isoscope.backends.launcher.step import Scene, Step


class RemoveTrees(Step):
    """Remove directories with all that is in them."""

    paths: tuple[str, ...]

    def describe(self) -> str:
        return f"remove {', '.join(self.paths)}"

    def execute(self, scene: Scene) -> None:
        for path in self.paths:
            discard(path)


def discard(path: str) -> None:
    """Remove a directory with everything in it, be it readable or not. What has gone is no error. Raises OSError."""
    try:
        os.rmdir(path)  # the usual case: nothing was written
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        os.chmod(path, 0o700)
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(path)


def _empty(top: int) -> None:
    """Remove everything in a directory, never following a link out of it.

    Directories below are moved up to it one by one, so that however deep an instance has nested them, neither the stack
    nor the descriptors run out. And shutil.rmtree cannot remove directories that nobody may read, such as the one that
    overlayfs itself leaves.
    """
    number, unique = 0, os.urandom(8).hex()
    while names := os.listdir(top):
        for name in names:
            if _unlinked(name, top):
                continue
            directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
            try:
                for inner in os.listdir(directory):
                    if not _unlinked(inner, directory):
                        number += 1
                        os.rename(inner, f"{unique}-{number}", src_dir_fd=directory, dst_dir_fd=top)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=top)


def _unlinked(name: str, directory: int) -> bool:
    """Remove a file; if it is a directory, make sure instead that it can be read."""
    try:
        os.unlink(name, dir_fd=directory)
    except (IsADirectoryError, PermissionError):  # EPERM is what POSIX says of a directory
        os.chmod(name, 0o700, dir_fd=directory)
        return False
    return True
