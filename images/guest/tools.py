"""The distribution's programs that the guest is built with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from isoscope.core.errors import HostError

#: Each program, and the package of Debian and Ubuntu that has it.
PROGRAMS = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "cpio": "cpio",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "gcc": "gcc",
    "modprobe": "kmod",
}

#: depmod and modprobe live where a user's PATH may not reach.
SEARCH_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def have(program: str) -> bool:
    """Whether a program is installed."""
    return shutil.which(program, path=SEARCH_PATH) is not None


def run(*command: str | Path, cwd: Path | None = None, given: str | None = None) -> str:
    """Standard output of a program that must succeed. Raises HostError with what it complained about."""
    environment = {**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        package = PROGRAMS.get(str(command[0]), "")
        raise HostError(
            f"cannot run {command[0]}: {error.strerror}", hint=f"apt-get install {package}" if package else ""
        ) from error
    if done.returncode != 0:
        raise HostError(
            f"{command[0]} failed: {_complaint(done.stderr) or f'status {done.returncode}'}",
            hint=_remedy(str(command[0])),
        )
    return done.stdout


def _complaint(said: str) -> str:
    """The last line; but apt's first error, which the others follow from."""
    lines = said.strip().splitlines()
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return next(iter(errors or lines[-1:]), "")


def _remedy(program: str) -> str:
    if program in ("apt-get", "apt-cache"):
        return "run apt-get update, and check that apt reaches a mirror"
    if program == "gcc":
        return "apt-get install gcc libc6-dev"
    return "check that the state directory has some 300 MB of free space"
