"""A lock between processes and threads, on a directory that may come and go."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isoscope.core.errors import HostError


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold flock(2) on a directory, which is made when it is missing, and removed at the end when it is empty.

    Raises HostError when it cannot be made.
    """
    try:
        held = _hold(directory)
    except OSError as error:
        raise HostError(f"cannot make {directory}: {error.strerror}", hint="run as root, or free some space") from error
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: it is in use
            directory.rmdir()
        # A child that another thread has just forked holds the descriptor, too: closing ours alone would not unlock.
        fcntl.flock(held, fcntl.LOCK_UN)
        os.close(held)


def _hold(directory: Path) -> int:
    while True:
        directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        try:
            held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # whoever held it has removed it meanwhile
            continue
        fcntl.flock(held, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(held), os.stat(directory)):
                return held
        os.close(held)
