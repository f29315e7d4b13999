"""The rate of this host's time-stamp counter, which QEMU without KVM shows to its guests as theirs."""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable
from functools import cache
from time import monotonic_ns, sleep

_READ = bytes.fromhex("0f31 48c1e220 4809d0 c3")  # rdtsc; shl $32, %rdx; or %rdx, %rax; ret
_SPAN_S = 0.01  # a reading is right to some 100 ns: to a hundred-thousandth of this
_TRIES = 5


@cache
def khz() -> int | None:
    """Thousands of ticks a second; None on another processor than x86-64, or where memory cannot be executed.

    A guest measures the rate as it boots, against an emulated timer. On a busy host QEMU may be held up in the middle
    of that: guests took 2.6 GHz for 172 MHz, and their clocks ran fifteen times too fast.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # SELinux without execmem
        return None
    page.write(_READ)
    place = ctypes.c_char.from_buffer(page)  # keeps the page
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(place))
    ticks, ns = _reading(read)
    sleep(_SPAN_S)
    later_ticks, later_ns = _reading(read)
    return round((later_ticks - ticks) * 1_000_000 / (later_ns - ns))


def _reading(read: Callable[[], int]) -> tuple[int, int]:
    """Ticks and nanoseconds at one moment: the tightest of a few, since something may come in between."""
    found = []
    for _ in range(_TRIES):
        before = monotonic_ns()
        ticks = read()
        after = monotonic_ns()
        found.append((after - before, ticks, (before + after) // 2))
    _, ticks, ns = min(found)
    return ticks, ns
