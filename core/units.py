"""Sizes and times as people write them. Sizes use powers of 1024, as in docker(1) and systemd.resource-control(5)."""

from __future__ import annotations

import re
from decimal import Decimal

from isoscope.core.errors import InputError

_SUFFIX = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SPAN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,9}(?:\.\d{1,9})?)s?)?", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes in a size such as `64M`, `1.5G`, `256MiB` or `4096`.

    Raises InputError for anything else, for zero, and for what does not fit a signed 64-bit number of bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} is not a size", hint="write a number and K, M, G or T, as in 256M")
    size = int(Decimal(match[1]) * _SUFFIX[match[2].upper()])
    if not 0 < size < 1 << 63:
        raise InputError(f"size {text!r} is out of range", hint="give at least one byte and less than 8 EiB")
    return size


def parse_duration(text: str) -> float:
    """Seconds in a span such as `90s`, `10m`, `1h30m` or `600`. Raises InputError for anything else, and for none."""
    match = _SPAN.fullmatch(text.strip())
    hours, minutes, seconds = match.groups(default="0") if match else ("0", "0", "0")
    span = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if not 0 < span < float("inf"):
        raise InputError(f"{text!r} is not a span of time", hint="write 90s, 10m or 1h30m")
    return span


def format_size(size: float) -> str:
    """A size in bytes as people read it: `256 MiB`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.3g} {unit}" if abs(size) < 1000 else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"


def format_duration(ns: float) -> str:
    """A span in nanoseconds as people read it: `3.2 ms`, `1.74 s`, `2 min 5 s`."""
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms"), (60e9, 1e9, "s")):
        if abs(ns) < limit:
            return f"{ns / divisor:.3g} {unit}"
    minutes, seconds = divmod(round(ns / 1e9), 60)
    return f"{minutes} min {seconds} s"
