"""Directories and groups that exist only while something is tried; their names say by whom they were made."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from isoscope.core.host.files import names_in

_NAME = re.compile(r"isoscope-probe-(\d+)-\w+")


def new_name() -> str:
    """A name for something that this process makes and soon removes again."""
    return f"isoscope-probe-{os.getpid()}-{secrets.token_hex(4)}"


def abandoned(directory: Path) -> list[Path]:
    """What stands in a directory under a name of a process that has ended: it was killed before it could clean up."""
    matches = ((name, _NAME.fullmatch(name)) for name in names_in(directory))
    return [directory / name for name, match in matches if match and not Path("/proc", match[1]).exists()]


def sweep_directories(directory: Path) -> list[str]:
    """Remove abandoned directories. Returns a line for each."""
    found = abandoned(directory)
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return [f"removed {path.name}, left by a probe" for path in found]


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """An empty directory below a state directory. Raises OSError when it cannot be made."""
    cache = home / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    sweep_directories(cache)
    # Its removal copes with directories without permissions, which overlayfs leaves behind.
    with TemporaryDirectory(prefix=f"isoscope-probe-{os.getpid()}-", dir=cache, ignore_cleanup_errors=True) as name:
        yield Path(name)


def sweep_groups(directory: Path) -> None:
    """Remove abandoned cgroups; rmdir(2) is all that a group can take."""
    for path in abandoned(directory):
        with suppress(OSError):
            path.rmdir()
