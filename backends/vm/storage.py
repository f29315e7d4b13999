"""How a VM's disk is kept on the host: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from isoscope.core.errors import BackendUnavailable, HostError, InputError
from isoscope.core.variant import Option

OPTIONS = (
    Option(
        "format",
        "the disk's file: qcow2 is an empty overlay on the image's disk, raw a private copy of it",
        ("qcow2", "raw"),
        "qcow2",
    ),
    Option(
        "cache",
        "the host's page cache under the disk: none and directsync go past it, writethrough and directsync flush each "
        "write, unsafe ignores the guest's flushes and may lose what it was told is safe",
        ("writeback", "none", "writethrough", "directsync", "unsafe"),
        "writeback",
    ),
    Option(
        "aio",
        "how QEMU hands the guest's requests to the host: a pool of threads, Linux AIO (with cache=none or directsync "
        "alone), or io_uring",
        ("threads", "native", "io_uring"),
        "threads",
    ),
    Option("iothread", "serve the disk in a thread of its own instead of QEMU's main loop", ("off", "on"), "off"),
)

#: Cache modes with which the host opens the disk O_DIRECT: qemu-system(1), -drive cache=.
_DIRECT = ("none", "directsync")

_IO_URING_SETUP = 425  # syscalls(2)


@dataclass(frozen=True)
class Storage:
    """What was chosen for the disk."""

    format: str = "qcow2"
    cache: str = "writeback"  # what QEMU does when nobody tells it
    aio: str = "threads"  # likewise
    iothread: bool = False

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """Read a backend's options. Raises InputError for a combination that QEMU refuses."""
        chosen = cls(options["format"], options["cache"], options["aio"], options["iothread"] == "on")
        if chosen.aio == "native" and not chosen.direct:
            raise InputError(
                f"aio=native cannot be used with cache={chosen.cache}: Linux AIO needs a disk opened O_DIRECT",
                hint="write cache=none,aio=native, or cache=directsync,aio=native",
            )
        return chosen

    @property
    def direct(self) -> bool:
        """Whether the disk is opened O_DIRECT."""
        return self.cache in _DIRECT

    def check(self, directory: Path) -> None:
        """Check that this host can do it below `directory`. Raises HostError or BackendUnavailable."""
        if self.direct and not _opens_direct(directory):
            raise HostError(
                f"the file system of {directory} knows no O_DIRECT, which cache={self.cache} needs",
                hint="set ISOSCOPE_HOME to a directory on a disk, or use another cache",
            )
        if self.aio == "io_uring" and (why := _no_io_uring()):
            raise BackendUnavailable(f"aio=io_uring cannot be used here: {why}", hint="use aio=threads or aio=native")

    def driver(self) -> dict[str, str]:
        """Attributes of libvirt's element `driver`."""
        return {
            "name": "qemu",
            "type": self.format,
            "cache": self.cache,
            "io": self.aio,
            "discard": "unmap",
            # By default QEMU stops a VM whose host's disk is full, and it would stand still for ever.
            "error_policy": "report",
            **({"iothread": "1"} if self.iothread else {}),
        }

    def proof(self) -> dict[str, str]:
        """What stands beside each figure."""
        return {
            "disk": f"virtio-blk, {self.format}",
            "cache": self.cache,
            "aio": self.aio,
            "iothread": "on" if self.iothread else "off",
        }


def _opens_direct(directory: Path) -> bool:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, prefix="isoscope-") as file:
        try:
            os.close(os.open(file.name, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC))
        except OSError as error:
            if error.errno != errno.EINVAL:  # open(2)
                raise
            return False
    return True


def _no_io_uring() -> str:
    """Why the kernel gives no io_uring; empty when it does: io_uring_setup(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120))  # struct io_uring_params
    if fd < 0:
        return f"io_uring_setup: {os.strerror(ctypes.get_errno())}"
    os.close(fd)
    return ""
