"""The private disk of each VM: a qcow2 file over the image's disk, or a copy of that.

An empty overlay is always the same, so it is made once for each disk, and copied: that takes a fifth of a millisecond,
and qemu-img twenty.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from isoscope.backends.vm.unfinished import PREFIX
from isoscope.core.errors import BackendUnavailable, HostError


def template(base: Path, home: Path) -> Path:
    """An empty overlay on `base`, made when there is none. Raises HostError or BackendUnavailable."""
    base = base.resolve()
    # As large as the base, which may be made again larger under the same name.
    name = hashlib.sha256(b"%s\0%d" % (os.fsencode(base), base.stat().st_size)).hexdigest()[:16]
    path = home / "cache" / "overlays" / f"{name}.qcow2"
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=PREFIX, dir=path.parent) as scratch:
                _create(base, Path(scratch) / "overlay")
                (Path(scratch) / "overlay").rename(path)
        except OSError as error:
            raise HostError(f"cannot make {path}: {error.strerror}", hint="free some space") from error
    return path


def copy(source: Path, into: Path) -> None:
    """A private copy of an empty overlay or of a whole disk, holes and all. Raises HostError.

    copy_file_range(2) makes it share its blocks with the original where the file system can.
    """
    try:
        with source.open("rb") as original, into.open("wb") as made:
            size = os.fstat(original.fileno()).st_size
            os.truncate(made.fileno(), size)
            for start, end in _data(original.fileno(), size):
                _copy_range(original.fileno(), made.fileno(), start, end)
    except OSError as error:
        raise HostError(f"cannot make {into}: {error.strerror}", hint="free some space") from error


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a sparse file has anything: lseek(2)."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    try:
        while start < end:
            start += os.copy_file_range(source, target, end - start, start, start)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):  # two file systems, or one that cannot
            raise
        os.lseek(target, start, os.SEEK_SET)
        while start < end:
            start += os.sendfile(target, source, start, end - start)


def _create(base: Path, path: Path) -> None:
    program = shutil.which("qemu-img")
    if program is None:
        raise BackendUnavailable("qemu-img is not installed", hint="apt-get install qemu-utils")
    command: list[str | Path] = [program, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise HostError(f"qemu-img failed: {done.stderr.strip()}", hint=f"check {base}")
