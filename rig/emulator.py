"""A QEMU that emulates the Intel 82576: the host's own, or one fetched for the rig alone."""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest.tools import run
from isoscope.images.locks import making, sweep_making
from isoscope.rig.suite import download

PROGRAM = "qemu-system-x86_64"

_CARD = "igb"  #: of QEMU 8.0 and later, docs/system/devices/igb.rst

#: What is taken from a newer suite. The libraries stay the release's own: backports are built for them.
_PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")

#: Where Debian releases whose own QEMU is too old have a newer one.
_NEWER_SUITE = {"bookworm": "bookworm-backports"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Emulator:
    """A QEMU that has the card."""

    program: Path
    firmware: tuple[Path, ...] = ()  #: directories with its firmware and ROMs, where it would not look itself

    def command(self) -> list[str]:
        """The beginning of its command line."""
        return [str(self.program), *(word for place in self.firmware for word in ("-L", str(place)))]


def emulator(home: Path) -> Emulator:
    """The rig's QEMU, fetched first where the host's own has no such card: some 13 MB, into the cache.

    Raises HostError when there is none to be had.
    """
    if (own := shutil.which(PROGRAM)) and not _trouble(Emulator(Path(own))):
        return Emulator(Path(own))
    tree = _directory(home) / "qemu"
    fetched = Emulator(tree / "usr/bin" / PROGRAM, (tree / "usr/share/qemu", tree / "usr/share/seabios"))
    if not tree.exists():
        _fetch(tree)
    if trouble := _trouble(fetched):
        raise HostError(f"the rig's QEMU does not run: {trouble}", hint=f"remove {tree} and try again")
    return fetched


def sweep(home: Path) -> list[str]:
    """Remove what an interrupted fetch left behind. Returns a line for each thing removed."""
    return sweep_making(_directory(home))


def _directory(home: Path) -> Path:
    return home / "cache" / "rig"


def _trouble(qemu: Emulator) -> str:
    """Why it cannot be used; empty when it runs and knows the card.

    A list of all devices would have it load every module, the host's old ones too.
    """
    words = [*qemu.command(), "-device", f"{_CARD},help"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error.strerror)
    if f"{_CARD} options" in done.stdout:
        return ""
    return (done.stderr.strip().splitlines() or [f"it does not emulate the network card {_CARD}"])[-1]


def _fetch(tree: Path) -> None:
    """Unpack the newer packages."""
    suite = _newer_suite()
    tree.parent.mkdir(parents=True, exist_ok=True)
    _log.info("fetching a QEMU that emulates the network card %s, 13 MB, from %s", _CARD, suite)
    with making(tree.parent) as scratch:
        (scratch / "tree").mkdir()
        for package in download(_PACKAGES, suite, scratch):
            run("dpkg-deb", "-x", package, scratch / "tree")
        if not tree.exists():  # no other process was faster
            (scratch / "tree").rename(tree)


def _newer_suite() -> str:
    release = platform.freedesktop_os_release()
    try:
        return _NEWER_SUITE[release.get("VERSION_CODENAME", "")]
    except KeyError:
        raise HostError(
            f"the QEMU of {release.get('PRETTY_NAME', 'this system')} does not emulate the network card {_CARD}",
            hint="install qemu-system-x86 of version 8.0 or later",
        ) from None
