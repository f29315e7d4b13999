"""A VM's own directory: its disk, and the sockets that QEMU connects to.

It is not in the instance's record: with a daemon, QEMU runs as another user, who has to get at these files and at
nothing else of ours.
"""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from shlex import quote

from isoscope.backends.vm import shares
from isoscope.core.errors import BackendUnavailable, HostError
from isoscope.core.registry import Record


def check_reachable(home: Path) -> None:
    """Check that the user whom a daemon runs QEMU as can get at files below `home`. Raises BackendUnavailable."""
    for directory in (home.resolve(), *home.resolve().parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            raise BackendUnavailable(
                f"a libvirt daemon runs QEMU as another user, who cannot enter {directory}",
                hint=f"chmod o+x {quote(str(directory))}, or set ISOSCOPE_HOME to another directory",
            )


class Files:
    """Paths of one VM."""

    def __init__(self, home: Path, record: Record) -> None:
        self.directory = home / "vm" / record.id
        self.disk = self.directory / "disk"
        self.console = self.directory / "console"
        self.control = self.directory / "control"
        self.shares = self.directory / "shares"
        self.console_log = record.directory / "console.log"

    def make(self) -> None:
        """Make the directory. Raises HostError."""
        try:
            for _ in range(3):  # the parent may be removed by whoever found it empty
                with suppress(FileNotFoundError):
                    self.directory.parent.mkdir(exist_ok=True)
                    self.directory.mkdir(mode=0o711)
                    return
            raise HostError(f"{self.directory.parent} vanishes again and again", hint="try again")
        except OSError as error:
            raise HostError(f"cannot make {self.directory}: {error.strerror}", hint="free some space") from error

    def remove(self) -> None:
        """Remove the directory, and its parent with the last VM. Idempotent.

        File by file: a host directory may be mounted below it, and what is in that is not ours to remove.
        """
        shares.release(self.shares)
        for file in (self.disk, self.console, self.control):
            file.unlink(missing_ok=True)
        for directory in (self.directory, self.directory.parent):
            with suppress(OSError):
                directory.rmdir()
