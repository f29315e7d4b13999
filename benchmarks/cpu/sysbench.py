"""sysbench's `cpu` test: its command, and its report, which is text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from isoscope.benchmarks.accounted import malformed

#: Its own default, said so that it stays: numbers up to here are tested for being prime.
_LARGEST = 10_000

_LINE = re.compile(r"\s*(events per second|total number of events):\s+([0-9]+(?:\.[0-9]+)?)\s*", re.ASCII)


@dataclass(frozen=True)
class Report:
    """What sysbench found."""

    rate: float  #: events a second, by its own clock
    events: int


def command(seconds: float, threads: int) -> tuple[str, ...]:
    """The command; sysbench takes whole seconds, at least one."""
    return (
        "sysbench",
        "cpu",
        f"--cpu-max-prime={_LARGEST}",
        f"--threads={threads}",
        f"--time={max(1, round(seconds))}",
        "run",
    )


def read(lines: Iterable[str]) -> Report:
    """The report. Raises WorkloadFailed when a figure is missing or 0."""
    whole = list(lines)
    found = {match[1]: float(match[2]) for line in whole if (match := _LINE.fullmatch(line))}
    rate, events = found.get("events per second", 0.0), found.get("total number of events", 0.0)
    if not rate or not events:
        raise malformed("sysbench", "\n".join(whole))
    return Report(rate, int(events))
