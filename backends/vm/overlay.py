"""The private writable layer of each VM: a qcow2 file over the image's disk.

An empty one is always the same, so it is made once for each disk, and copied: that takes a fifth of a millisecond, and
qemu-img twenty.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from isoscope.backends.vm.unfinished import PREFIX
from isoscope.core.errors import BackendUnavailable, HostError


def template(base: Path, home: Path) -> Path:
    """An empty overlay on `base`, made when there is none. Raises HostError or BackendUnavailable."""
    base = base.resolve()
    name = hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
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
    """A private copy of an empty overlay."""
    shutil.copyfile(source, into)


def _create(base: Path, path: Path) -> None:
    program = shutil.which("qemu-img")
    if program is None:
        raise BackendUnavailable("qemu-img is not installed", hint="apt-get install qemu-utils")
    command: list[str | Path] = [program, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, path]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise HostError(f"qemu-img failed: {done.stderr.strip()}", hint=f"check {base}")
