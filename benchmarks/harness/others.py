"""Who else is on the host: virtual machines and containers that are not this state directory's."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

#: Programs that are virtual machines, by the 15 characters that the kernel keeps of their names (proc_pid_comm(5)).
_VMMS = ("qemu-", "kvm", "firecracker", "cloud-hyperviso", "crosvm", "VBoxHeadless", "vmware-vmx")

_PROC = Path("/proc")


def others(marks: Collection[str], proc: Path = _PROC) -> dict[str, int]:
    """How many virtual machines run, and how many PID namespaces are in use beside ours, which is what containers have.

    Those of the instances with these marks are not counted: they are known.
    """
    machines = 0
    ours = _namespace(proc / "self")
    namespaces: set[str] = set()
    for process in _processes(proc):
        namespace = _namespace(process)
        machine = _comm(process).startswith(_VMMS)
        foreign = namespace not in ("", ours)
        if (machine or foreign) and not _marked(process, marks):
            machines += machine
            namespaces |= {namespace} if foreign else set()
    return {"machines": machines, "containers": len(namespaces)}


def _processes(proc: Path) -> Iterator[Path]:
    return (path for path in proc.iterdir() if path.name.isdecimal())


def _namespace(process: Path) -> str:
    try:
        return os.readlink(process / "ns/pid")
    except OSError:  # it has ended, it is a zombie, or it is not ours to look at
        return ""


def _comm(process: Path) -> str:
    return _text(process / "comm").strip()


def _marked(process: Path, marks: Collection[str]) -> bool:
    text = _text(process / "cmdline") + _text(process / "cgroup")
    return any(mark in text for mark in marks)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
