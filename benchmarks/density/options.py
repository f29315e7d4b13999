"""The options of the benchmark `density`."""

from __future__ import annotations

from dataclasses import dataclass

from isoscope.benchmarks.request import BenchmarkOption, choice, count
from isoscope.core.errors import InputError
from isoscope.core.units import format_size, parse_duration, parse_size

#: What labels call the host on which the comparison runs.
THIS = "this host"

_THIS = "this"  # the option value that stands for it


@dataclass(frozen=True)
class Floor:
    """Free memory below which no instance is started: bytes, or a share of the host's memory."""

    size: int = 0
    share: float = 0.0

    def of(self, total: int) -> int:
        """Bytes, on a host of `total` bytes."""
        return self.size or int(self.share * total)

    @classmethod
    def read(cls, text: str) -> Floor:
        """Read `10%` or `2G`. Raises InputError."""
        if not text.endswith("%"):
            return cls(size=parse_size(text))
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share < 1:
            raise InputError(f"{text!r} is not a share of memory", hint="write 10%, or a size such as 2G")
        return cls(share=share)


def read_host(text: str) -> int | None:
    """Bytes of memory of another host; None for this one. Raises InputError."""
    return None if text == _THIS else parse_size(text)


def host_name(size: int | None) -> str:
    """What a host is called in labels."""
    return THIS if size is None else format_size(size)


OPTIONS = (
    BenchmarkOption("upto", "how many instances the ramp goes up to", default="100", quick="50", read=count),
    BenchmarkOption("at-once", "how many are started at a time; 1: one after another", default="1", read=count),
    BenchmarkOption(
        "memory-floor", "available memory at which the ramp ends, a share or a size", default="10%", read=Floor.read
    ),
    BenchmarkOption("budget", "time after which the ramp ends", default="10m", quick="12s", read=parse_duration),
    BenchmarkOption(
        "settle",
        "how long the instances are left alone at each step while CPU time is measured",
        default="1s",
        quick="0.5s",
        read=parse_duration,
    ),
    BenchmarkOption(
        "host", "memory of another host for which to say how many fit, such as 64G", default=_THIS, read=read_host
    ),
    BenchmarkOption(
        "unequal",
        "yes: variants may ask for unequal cpus, memory and pids",
        default="no",
        read=choice("no", "yes"),
    ),
)
