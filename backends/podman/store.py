"""podman's own directory below ours, and its other commands than `run`."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from isoscope.backends.podman.command import Podman
from isoscope.core.errors import HostError
from isoscope.core.patience import patience

_DEADLINE = 60.0  #: seconds; removing a container that runs takes less than one


def call(podman: Podman, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Have podman do something to its end, whatever that is. Raises HostError."""
    try:
        return subprocess.run(
            podman.line(*arguments),
            env=podman.environment(),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=patience(_DEADLINE),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HostError(
            f"podman {arguments[0]} did not end within {patience(_DEADLINE):g} s", hint="see whether it works alone"
        ) from None


def remove(podman: Podman) -> None:
    """Remove its directories, with whatever it has mounted there."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    for directory in (podman.directory, podman.volatile):
        points = [point for line in lines if (point := line.split()[4]).startswith(f"{directory}/")]
        for point in sorted(points, reverse=True):  # the inner ones first
            subprocess.run(["umount", "--lazy", point], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):  # others have something there
        podman.volatile.parent.rmdir()
