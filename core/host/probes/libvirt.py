"""Opens libvirt's embedded QEMU driver. Not run with `-S`: libvirt is an installed package."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from isoscope.core.host.probes.report import say


def main(arguments: list[str]) -> None:
    """Say the library's `version`, then `opened`, or what went wrong. The argument is a directory for the driver."""
    try:
        libvirt = import_module("libvirt")
    except ImportError as error:
        say(unimportable=str(error))
        return
    number = libvirt.getVersion()
    say(version=f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}")
    configure(Path(arguments[0]))
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()  # the embedded driver will not open without an event loop
    try:
        libvirt.open(f"qemu:///embed?root={arguments[0]}").close()
    except libvirt.libvirtError as error:
        say(opened=False, failure=str(error))
    else:
        say(opened=True)


def configure(root: Path) -> None:
    """Let QEMU run as this user: the driver will not open when the user that it would take by default is missing."""
    (root / "etc").mkdir()
    (root / "etc/qemu.conf").write_text(f'user = "+{os.geteuid()}"\ngroup = "+{os.getegid()}"\n')
