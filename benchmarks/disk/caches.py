"""Dropping what the host and a guest remember of the test file, and looking whether they have forgotten it.

Sources: Documentation/admin-guide/sysctl/vm.rst (drop_caches), cachestat(2), mincore(2), proc_meminfo(5).
"""

from __future__ import annotations

import ctypes
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from isoscope.benchmarks.inside import run_inside
from isoscope.benchmarks.proc import meminfo
from isoscope.core.errors import IsoscopeError
from isoscope.core.instance import Instance

_DROP = Path("/proc/sys/vm/drop_caches")
_FORGET = ("sh", "-c", "sync; echo 3 > /proc/sys/vm/drop_caches && cat /proc/meminfo")

_CACHESTAT = 451  # syscalls(2), the same on every architecture
_WINDOW = 1 << 30  # bytes that are mapped at a time

#: What may remain of a file of that many bytes: a page that was just looked at, metadata, a guest's own programs.
_SHARE = 1 / 100
_GUEST_FLOOR = 8 << 20
_HOST_FLOOR = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
_MAP_FAILED = ctypes.c_void_p(-1).value


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Pages(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")
    )


@dataclass(frozen=True)
class Cached:
    """How much of a file the kernel has in memory, in bytes."""

    resident: int
    dirty: int | None  #: of those, what is not on the disk yet; None where the kernel does not tell (before Linux 6.5)


def cached(file: Path) -> Cached:
    """What the host has of a file in memory. Raises OSError."""
    with file.open("rb") as opened:
        pages = _Pages()
        if _libc.syscall(_CACHESTAT, opened.fileno(), ctypes.byref(_Range(0, 0)), ctypes.byref(pages), 0) == 0:
            return Cached(pages.cached * mmap.PAGESIZE, (pages.dirty + pages.writeback) * mmap.PAGESIZE)
        return Cached(_resident(opened.fileno(), os.fstat(opened.fileno()).st_size), None)


def drop(instance: Instance, file: str, size: int, *, own_kernel: bool) -> str:
    """Drop the caches of the whole host, and before those of the guest where there is one.

    Returns what remains of a test file of `size` bytes: nothing, or why it may still be in memory.
    """
    if own_kernel and (why := _drop_inside(instance, size)):
        return why
    return drop_of_host() or _remains(instance.backing(file), size)


def drop_of_host() -> str:
    """Drop the caches of the whole host. Returns nothing, or why that is not possible."""
    try:
        os.sync()
        _DROP.write_text("3")
    except PermissionError:
        return "only root may drop the host's caches"
    except OSError as error:
        return f"the host's caches cannot be dropped: {error.strerror}"
    return ""


def guest_memory(instance: Instance, *, timeout: float) -> int:
    """Bytes of memory that the kernel under the workload has. Raises what `run_inside` raises."""
    return meminfo(run_inside(instance, ["cat", "/proc/meminfo"], timeout=timeout)).get("MemTotal", 0)


def _drop_inside(instance: Instance, size: int) -> str:
    try:
        found = meminfo(run_inside(instance, _FORGET, timeout=60))
    except IsoscopeError as error:
        return f"the guest's caches cannot be dropped: {error.message}"
    # An upper bound: the kernel counts pages of all files together.
    left = found.get("Cached", 0) + found.get("Buffers", 0) - found.get("Shmem", 0)
    return f"the guest keeps {left} bytes of files in memory" if left > max(_GUEST_FLOOR, size * _SHARE) else ""


def _remains(file: Path | None, size: int) -> str:
    if file is None:
        return "the backend does not say where the file is on the host"
    try:
        left = cached(file).resident
    except OSError as error:
        return f"the host does not tell what it has in memory: {error.strerror}"
    return f"the host keeps {left} bytes of it in memory" if left > max(_HOST_FLOOR, size * _SHARE) else ""


def _resident(fd: int, size: int) -> int:
    """By mincore(2), a window after another."""
    return sum(_resident_in(fd, start, min(_WINDOW, size - start)) for start in range(0, size, _WINDOW))


def _resident_in(fd: int, start: int, length: int) -> int:
    address = _libc.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, fd, start)
    if address == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        pages = ctypes.create_string_buffer(-(-length // mmap.PAGESIZE))
        if _libc.mincore(address, length, pages) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return sum(page & 1 for page in pages.raw) * mmap.PAGESIZE
    finally:
        _libc.munmap(address, length)
