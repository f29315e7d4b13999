"""Where the guest's kernel comes from: the distribution's package, fetched as apt is configured, never installed."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest.tools import run


@dataclass(frozen=True)
class Distribution:
    """Names of packages in one distribution."""

    meta: str  #: depends on the current kernel for virtual machines
    kernel: str  #: a regular expression that the kernel's own package matches
    modules: str = ""  #: what to put before the kernel's release for the package with its modules, when it is another


DISTRIBUTIONS = {
    "debian": Distribution("linux-image-cloud-amd64", r"linux-image-(?P<release>\d\S*-cloud-amd64)"),
    "ubuntu": Distribution(
        "linux-image-virtual", r"linux-image-(?:unsigned-)?(?P<release>\d\S*-generic)", modules="linux-modules-"
    ),
}


@dataclass(frozen=True)
class KernelPackages:
    """The packages that hold one kernel."""

    release: str  #: as `uname -r` will say
    version: str  #: of the package
    names: tuple[str, ...]


def find() -> KernelPackages:
    """The kernel that the distribution recommends for virtual machines now.

    Raises HostError on a distribution that is not in the table, or when apt does not know the packages.
    """
    distribution = _distribution()
    fields = _show(distribution.meta)
    for dependency in re.split(r"[,|]", fields.get("Depends", "")):
        name = dependency.split("(")[0].strip()
        if match := re.fullmatch(distribution.kernel, name):
            extra = (distribution.modules + match["release"],) if distribution.modules else ()
            return KernelPackages(match["release"], _show(name).get("Version", ""), (name, *extra))
    raise HostError(
        f"package {distribution.meta} does not depend on a kernel that is known here", hint="run apt-get update"
    )


def unpack(packages: KernelPackages, into: Path) -> None:
    """Fetch the packages and unpack them into a directory. Raises HostError."""
    run("apt-get", "download", *packages.names, cwd=into)
    for archive in into.glob("*.deb"):
        run("dpkg-deb", "-x", archive, into)
        archive.unlink()


def _distribution() -> Distribution:
    release = platform.freedesktop_os_release()
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if name in DISTRIBUTIONS:
            return DISTRIBUTIONS[name]
    raise HostError(
        f"no kernel package is known for {release.get('PRETTY_NAME', 'this system')}",
        hint=f"known are: {', '.join(sorted(DISTRIBUTIONS))}",
    )


def _show(package: str) -> dict[str, str]:
    text = run("apt-cache", "show", "--no-all-versions", package)
    lines = (line.partition(": ") for line in text.split("\n\n")[0].splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in lines}
