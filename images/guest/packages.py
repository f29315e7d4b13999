"""Where the guest's kernel comes from: the distribution's package, fetched as apt is configured, never installed."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest.tools import run


@dataclass(frozen=True)
class Distribution:
    """Names of packages in one distribution."""

    meta: str  #: depends on the current kernel for virtual machines
    kernel: str  #: a regular expression that the kernel's own package matches
    #: What to put before the kernel's release for the packages with its modules, when those are others.
    modules: tuple[str, ...] = ()


#: Kernels for virtual machines: they have few drivers.
CLOUD = {
    "debian": Distribution("linux-image-cloud-amd64", r"linux-image-(?P<release>\d\S*-cloud-amd64)"),
    "ubuntu": Distribution(
        "linux-image-virtual", r"linux-image-(?:unsigned-)?(?P<release>\d\S*-generic)", modules=("linux-modules-",)
    ),
}

#: Kernels for machines of every kind.
FULL = {
    "debian": Distribution("linux-image-amd64", r"linux-image-(?P<release>\d\S*-amd64)"),
    "ubuntu": Distribution(
        "linux-image-generic",
        r"linux-image-(?:unsigned-)?(?P<release>\d\S*-generic)",
        modules=("linux-modules-", "linux-modules-extra-"),
    ),
}


@dataclass(frozen=True)
class KernelPackages:
    """The packages that hold one kernel."""

    release: str  #: as `uname -r` will say
    version: str  #: of the package
    names: tuple[str, ...]


def find(distributions: Mapping[str, Distribution]) -> KernelPackages:
    """The kernel that the distribution recommends now.

    Raises HostError on a distribution that is not in the table, or when apt does not know the packages.
    """
    distribution = _distribution(distributions)
    fields = _show(distribution.meta)
    for dependency in re.split(r"[,|]", fields.get("Depends", "")):
        name = dependency.split("(")[0].strip()
        if match := re.fullmatch(distribution.kernel, name):
            extra = [prefix + match["release"] for prefix in distribution.modules]
            return KernelPackages(match["release"], _show(name).get("Version", ""), (name, *extra))
    raise HostError(
        f"package {distribution.meta} does not depend on a kernel that is known here", hint="run apt-get update"
    )


def unpack(packages: KernelPackages, into: Path) -> None:
    """Fetch the packages and unpack them into a directory. Raises HostError."""
    run("apt-get", "-o", "Acquire::Retries=3", "download", *packages.names, cwd=into)
    for archive in into.glob("*.deb"):
        run("dpkg-deb", "-x", archive, into)
        archive.unlink()


def _distribution(known: Mapping[str, Distribution]) -> Distribution:
    release = platform.freedesktop_os_release()
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if name in known:
            return known[name]
    raise HostError(
        f"no kernel package is known for {release.get('PRETTY_NAME', 'this system')}",
        hint=f"known are: {', '.join(sorted(known))}",
    )


def _show(package: str) -> dict[str, str]:
    text = run("apt-cache", "show", "--no-all-versions", package)
    lines = (line.partition(": ") for line in text.split("\n\n")[0].splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in lines}
