"""Locks between processes, and directories in the making that tell the living from the dead.

Both rest on flock(2): the kernel drops a lock when its holder ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".making-"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of that name; waits for whoever has it. Its file stays, for removing it would race."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def making(parent: Path) -> Iterator[Path]:
    """A directory below `parent` that goes at the end of the block; move out of it what shall stay."""
    with locked(parent / ".lock"):
        path = parent / f"{PREFIX}{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        descriptor = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(descriptor)


def sweep_making(parent: Path) -> list[str]:
    """Remove the directories whose makers have died. Returns a line for each."""
    if not parent.is_dir():
        return []
    with locked(parent / ".lock"):
        return [f"removed {path}" for path in sorted(parent.glob(f"{PREFIX}*")) if _remove_if_dead(path)]


def _remove_if_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # its maker has just finished
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(path)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_tree(path: Path) -> None:
    """Remove a tree whatever modes its directories have. What has gone already is no error."""
    import shutil

    if os.geteuid() != 0 and path.is_dir():
        _make_writable(path)
    shutil.rmtree(path, ignore_errors=True)


def _make_writable(path: Path) -> None:
    """Without root, a directory must be writable for its entries to be removed."""
    os.chmod(path, stat.S_IRWXU)
    for directory, names, _ in os.walk(path):
        for name in names:
            if not os.path.islink(below := os.path.join(directory, name)):
                os.chmod(below, stat.S_IRWXU)
