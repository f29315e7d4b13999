"""Which peers have worked on this host, remembered for this boot: finding out takes longer than a question may.

Only what worked is remembered. What did not is tried anew each time, since somebody may have mended it meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from isoscope.core.backend import Context
from isoscope.core.host.files import read


class Memory:
    """What is remembered of programs under terms, by their files: one that is replaced is another program."""

    def __init__(self, context: Context) -> None:
        self._host = context.host
        self._directory = context.home / "cache" / "peers"
        self._boot = read(Path("/proc/sys/kernel/random/boot_id"))

    def worked(self, programs: Sequence[str], *terms: str) -> bool:
        """Whether they have worked since this host was booted; never where everything is to be probed anew."""
        return not self._host.fresh and self._place(programs, terms).exists()

    def keep(self, programs: Sequence[str], *terms: str) -> None:
        """Note that they have. A state directory that cannot be written costs a try each time."""
        place = self._place(programs, terms)
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            for other in place.parent.iterdir():
                if not other.name.startswith(self._boot):
                    other.unlink(missing_ok=True)
            place.touch()

    def _place(self, programs: Sequence[str], terms: tuple[str, ...]) -> Path:
        key = [platform.release(), os.geteuid(), [_identity(path) for path in programs], terms]
        return self._directory / f"{self._boot}-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}"


def _identity(path: str) -> list[str | int]:
    """What tells one file of a program from the next; stat(2)."""
    found = os.stat(path)
    return [path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]
