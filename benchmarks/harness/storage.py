"""What a folder stands on: its file system and its block device, as the kernel tells them in sysfs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOUNTS = Path("/proc/self/mountinfo")
_DEVICES = Path("/sys/dev/block")


@dataclass(frozen=True)
class _Mount:
    """A line of proc_pid_mountinfo(5)."""

    device: str  #: MAJOR:MINOR
    options: str
    filesystem: str
    source: str


def storage(path: Path, *, mounts: Path = _MOUNTS, devices: Path = _DEVICES) -> dict[str, Any]:
    """The disk below `path`; null for what is not told, as of a file system without a device of its own.

    `filesystem`, `options` of its mount, `device` (the whole disk, not its partition), `model`, `rotational`,
    `scheduler` and `write_cache`: Documentation/ABI/stable/sysfs-block.
    """
    number = path.stat().st_dev
    name = f"{os.major(number)}:{os.minor(number)}"
    mount = next((one for one in _mounts(mounts) if one.device == name), None)
    disk = _disk(name, mount, devices)
    queue = None if disk is None else disk / "queue"
    rotational = _read(queue, "rotational")
    return {
        "filesystem": mount and mount.filesystem,
        "options": mount and mount.options,
        "device": disk and disk.name,
        "model": _read(disk, "device/model"),
        "rotational": None if rotational is None else rotational == "1",
        "scheduler": chosen(_read(queue, "scheduler")),
        "write_cache": _read(queue, "write_cache"),
    }


def chosen(text: str | None) -> str | None:
    """The word in brackets, as in `always [madvise] never`; the text itself without any."""
    return None if text is None else text.partition("[")[2].partition("]")[0] or text


def _mounts(path: Path) -> list[_Mount]:
    found = []
    for line in path.read_text(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        fields, more = before.split(), after.split()
        if len(fields) > 5 and len(more) > 1:
            found.append(_Mount(fields[2], fields[5], more[0], more[1]))
    return found


def _disk(name: str, mount: _Mount | None, devices: Path) -> Path | None:
    """The disk's directory in sysfs; that of a partition lies in it. Of several disks (btrfs) the first."""
    found = devices / name
    if not found.exists() and mount is not None and mount.source.startswith("/dev/"):  # an anonymous device number
        try:
            number = os.stat(mount.source).st_rdev
        except OSError:
            return None
        found = devices / f"{os.major(number)}:{os.minor(number)}"
    if not found.exists():
        return None
    found = found.resolve()
    return found.parent if (found / "partition").exists() else found


def _read(directory: Path | None, name: str) -> str | None:
    try:
        return None if directory is None else (directory / name).read_text().strip()
    except OSError:
        return None
