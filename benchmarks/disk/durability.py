"""Whether a flush does what it says: its price on the host itself, and whether what was flushed has left the memory."""

from __future__ import annotations

import os
from math import exp
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic_ns

from isoscope.benchmarks.disk.caches import cached
from isoscope.benchmarks.disk.phases import FLUSHED

_BLOCK = 4096
_MOST = 200  # flushes
_LONGEST = 200_000_000  # ns


def native_flush(directory: Path) -> float:
    """Nanoseconds that fdatasync(2) takes on the host after one small write, at its quickest. Raises OSError.

    The tenth that was quickest, for it is a floor: on a busy host many take a scheduler's tick longer.
    """
    spans: list[int] = []
    with TemporaryFile(dir=directory, prefix="isoscope-", buffering=0) as file:
        fd = file.fileno()
        os.pwrite(fd, os.urandom(FLUSHED), 0)
        os.fsync(fd)
        began = monotonic_ns()
        while len(spans) < _MOST and monotonic_ns() - began < _LONGEST:
            os.pwrite(fd, os.urandom(_BLOCK), len(spans) * _BLOCK % FLUSHED)
            before = monotonic_ns()
            os.fdatasync(fd)
            spans.append(monotonic_ns() - before)
    return float(sorted(spans)[len(spans) // 10])


def unflushed(file: Path | None, writes: int) -> float | None:
    """The share of what `writes` random writes have touched that is still in the host's memory alone.

    To be called right after the last of them was flushed. None where the host cannot tell.
    """
    if file is None or not writes:
        return None
    try:
        dirty = cached(file).dirty
    except OSError:
        return None
    blocks = FLUSHED / _BLOCK
    touched = FLUSHED * (1 - exp(-writes / blocks))
    return None if dirty is None else min(dirty / touched, 1.0)
