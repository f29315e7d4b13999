"""A QEMU that emulates the Intel 82576: the host's own, or one fetched for the rig alone."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest.tools import run
from isoscope.images.locks import making

PROGRAM = "qemu-system-x86_64"

_CARD = "igb"  #: of QEMU 8.0 and later, docs/system/devices/igb.rst

#: What is taken from a newer suite. The libraries stay the release's own: backports are built for them.
_PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")

#: Where Debian releases whose own QEMU is too old have a newer one.
_NEWER_SUITE = {"bookworm": "bookworm-backports"}

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


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
    if (own := shutil.which(PROGRAM)) and _has_card(Emulator(Path(own))):
        return Emulator(Path(own))
    tree = home / "cache" / "rig" / "qemu"
    fetched = Emulator(tree / "usr/bin" / PROGRAM, (tree / "usr/share/qemu", tree / "usr/share/seabios"))
    if not tree.exists():
        _fetch(tree)
    if not _has_card(fetched):
        raise HostError(f"{fetched.program} does not run, or has no {_CARD}", hint=f"remove {tree} and try again")
    return fetched


def _has_card(qemu: Emulator) -> bool:
    """Whether it knows the card: a list of all devices would have it load every module, the host's old ones too."""
    words = [*qemu.command(), "-device", f"{_CARD},help"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"{_CARD} options" in done.stdout


def _fetch(tree: Path) -> None:
    """Unpack the newer packages. apt gets a configuration of our own, so that the host's knows nothing of the suite."""
    suite = _newer_suite()
    tree.parent.mkdir(parents=True, exist_ok=True)
    with making(tree.parent) as scratch:
        for name in ("lists", "archives", "packages", "tree"):
            (scratch / name).mkdir()
        (scratch / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_archive()} {suite} main\n")
        options = {
            "Dir::Etc::SourceList": scratch / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": scratch / "lists",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Sandbox::User": "root",  # whose own user could not write below the state directory
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        run("apt-get", "--quiet=2", *settings, "update")
        run("apt-get", "--quiet=2", *settings, "download", *_PACKAGES, cwd=scratch / "packages")
        for package in sorted((scratch / "packages").glob("*.deb")):
            run("dpkg-deb", "-x", package, scratch / "tree")
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


def _archive() -> str:
    """The mirror from which apt takes this release: the newer suite stands beside it."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    targets = run("apt-get", "indextargets", "--format", "$(LABEL) $(CODENAME) $(REPO_URI)", "Created-By: Packages")
    for label, name, uri in (line.split(" ", 2) for line in targets.splitlines() if line.count(" ") == 2):
        if (label, name) == ("Debian", codename):
            return uri
    raise HostError("apt has no source for this release of Debian", hint="see sources.list(5), and run apt-get update")
