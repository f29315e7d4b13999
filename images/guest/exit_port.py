"""An initrd without modules, for guests that are booted for the sake of booting: `exit_port.c` is all that is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.core.host.scratch import scratch
from isoscope.images.guest import initrd

SOURCE = Path(__file__).with_suffix(".c")

#: The status with which a QEMU ends whose guest has come to its first process: DONE * 2 + 1.
DONE_STATUS = 0x2A * 2 + 1


def place(home: Path) -> Path:
    """Where a state directory keeps it."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    return home / "cache" / f"exit-port-{digest}.cpio"


def exit_port(home: Path) -> Path:
    """The initrd, built first when it is missing, in some 0.2 s. Raises HostError."""
    found = place(home)
    if found.exists():
        return found
    try:
        with scratch(home) as work:
            (work / "tree").mkdir()
            initrd.compile_c([SOURCE], work / "tree" / "init")
            initrd.pack(work / "tree", work / "initrd")
            (work / "initrd").replace(found)
    except OSError as error:
        raise HostError(f"cannot build {found}: {error.strerror}", hint="free some space") from error
    return found
