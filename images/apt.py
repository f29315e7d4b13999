"""Debian packages through apt, as this machine has it configured: its sources, its proxy, its keys.

The machine's own packages do not matter and are not touched: apt works on an empty status file and directories of
ours, so that what it fetches is everything that the packages need, and its locks are not the machine's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isoscope.core.errors import HostError

_SEARCHABLE = 0o001


@dataclass(frozen=True, order=True)
class Package:
    """A downloaded package."""

    name: str
    version: str
    file: Path


def download(names: Sequence[str], into: Path) -> list[Package]:
    """Fetch packages and all that they depend on into an existing directory. Returns them by name.

    Raises HostError when apt is missing, does not know a package, or cannot reach its sources.
    """
    archives = into / "archives"
    for directory in (archives, into / "cache"):
        directory.mkdir()
    (into / "status").touch()
    options = {
        "Dir::State::status": into / "status",
        "Dir::State::extended_states": into / "extended_states",
        "Dir::Cache": into / "cache",
        "Dir::Cache::archives": archives,
        "Acquire::Retries": "3",
        "APT::Install-Recommends": "false",
        "APT::Keep-Downloaded-Packages": "true",
    }
    if not _reachable(into):
        options["APT::Sandbox::User"] = "root"
    arguments = [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
    _run(["apt-get", "--quiet=2", "--yes", "--download-only", *arguments, "install", "--", *names])
    return sorted(_describe(file) for file in archives.glob("*.deb"))


@contextmanager
def contents(package: Package) -> Iterator[IO[bytes]]:
    """The tar stream of a package's files (dpkg-deb(1)). Raises HostError when it cannot be read to its end."""
    command = ["dpkg-deb", "--fsys-tarfile", str(package.file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        yield process.stdout
        process.stdout.read()
        complaint = process.stderr.read().decode(errors="replace").strip()
        if process.wait() != 0:
            raise HostError(
                f"package {package.name} cannot be unpacked: {complaint}", hint="try again: it is fetched anew"
            )


def _describe(file: Path) -> Package:
    fields = ["--showformat=${Package}\\n${Version}", "--show", str(file)]
    name, version = _run(["dpkg-deb", *fields]).split("\n")
    return Package(name, version, file)


def _reachable(directory: Path) -> bool:
    """Whether apt's own user can get there; root's downloads are then not done as root."""
    return all(above.stat().st_mode & _SEARCHABLE for above in (directory, *directory.resolve().parents))


def _run(command: Sequence[str]) -> str:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise HostError(
            f"{command[0]} is missing: images are built from Debian packages",
            hint="build on Debian or Ubuntu, and bring the image over with `isoscope image save` and `load`",
        ) from None
    if done.returncode != 0:
        lines = [line.removeprefix("E: ") for line in done.stderr.splitlines() if line.startswith("E: ")]
        reason = lines[0] if lines else done.stderr.strip() or f"status {done.returncode}"
        raise HostError(f"{command[0]} failed: {reason}", hint="run `apt-get update`, then try again")
    return done.stdout
