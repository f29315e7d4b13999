"""Who moves the packets of a VM's network card: the host's kernel, by vhost-net, or QEMU."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from isoscope.core.errors import BackendUnavailable
from isoscope.core.variant import Option

DEVICE = Path("/dev/vhost-net")

_GET_FEATURES = 0x8008AF00  # VHOST_GET_FEATURES, linux/vhost.h

OPTION = Option(
    "vhost",
    "who moves the network card's packets: on is the host's kernel, off QEMU; auto takes the kernel where it can",
    ("auto", "on", "off"),
    "auto",
)


def chosen(option: str, device: Path = DEVICE) -> bool:
    """Whether vhost-net is used for a value of the option. Raises BackendUnavailable when it is to be, and cannot."""
    if option == "off":
        return False
    trouble = _trouble(device)
    if trouble is not None and option == "on":
        raise BackendUnavailable(
            f"vhost-net is not to be had here: {device}: {trouble.strerror}",
            hint="modprobe vhost_net" if trouble.errno == errno.ENOENT else "run as root, or use vhost=auto",
        )
    return trouble is None


def _trouble(device: Path) -> OSError | None:
    """What keeps it from being used: that it is there does not say that it answers."""
    try:
        fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _GET_FEATURES, bytes(8))
        finally:
            os.close(fd)
    except OSError as error:
        return error
    return None
