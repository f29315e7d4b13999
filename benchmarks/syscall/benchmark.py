"""The benchmark `syscall`: what calls into the kernel cost, one kind at a time."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.accounted import accounted, field, malformed, middle, positive, spans, staying
from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.cpu_time import NOT_COUNTED
from isoscope.benchmarks.inside import Line
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption, count
from isoscope.benchmarks.syscall.metrics import CALLS, CLOCK, HOST_TIME, SHARE, TIME
from isoscope.core.units import parse_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_PROGRAM = "syscalls"  #: images/programs/syscalls.c

_MOST = 1000  #: repetitions that the program takes

#: Where the file lies that is opened, read and written: on the instance's root file system.
_DIRECTORY = "/tmp"  # noqa: S108 -- the instance's

#: Seconds beyond what it should take within which the program has ended. To calibrate may take longer than to measure.
_GRACE = 60.0

#: Magic numbers of file systems, statfs(2).
_FILESYSTEMS = {
    0x794C7630: "overlay",
    0xEF53: "ext2/3/4",
    0x01021994: "tmpfs",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
}

_Record = dict[str, Any]


class Syscall(Benchmark):
    """Our own static program, run once in an instance that stays; it times every call in turn."""

    name: ClassVar[str] = "syscall"
    summary: ClassVar[str] = "time of system calls, a page fault, a context switch and a process"
    workload: ClassVar[str] = "bench"
    headline: ClassVar[tuple[Metric, ...]] = (TIME,)
    details: ClassVar[tuple[Metric, ...]] = (HOST_TIME, CLOCK, SHARE)
    dimensions: ClassVar[tuple[str, ...]] = ("call",)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "time", "how long each call is repeated, all repetitions together", "1s", quick="0.2", read=parse_duration
        ),
        BenchmarkOption(
            "repetitions",
            f"repetitions of each call's loop, at most {_MOST}",
            "10",
            quick="5",
            read=partial(count, most=_MOST),
        ),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Every call. Raises CommandNotFound for an image without the program, WorkloadFailed, Timeout."""
        seconds = min(0.1, trial.options["time"]) if trial.warmup else trial.options["time"]
        command = (_PROGRAM, str(max(1, round(seconds * 1000))), str(trial.options["repetitions"]), _DIRECTORY)
        with staying(trial) as instance:
            done = accounted(instance, command, timeout=4 * len(CALLS) * seconds + _GRACE)
            trial.keep("syscalls.jsonl", done.text)
            labels = {**instance.proof(), "command": shlex.join(command)}
        yield from read(done.records(), labels)
        yield Value(SHARE, done.share, labels, reason=NOT_COUNTED)

    def cautions(self, run: Run) -> list[str]:
        """TCG, clocks, and what stands between a container's calls and the kernel."""
        from isoscope.benchmarks.syscall.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Times on one axis, and times beside the baseline's."""
        from isoscope.benchmarks.syscall.figures import figures

        return figures(run)


def read(records: list[tuple[Line, _Record]], proof: Mapping[str, Label]) -> Iterator[Value]:
    """The values in what the program printed. Raises WorkloadFailed when it is not what the program prints."""
    words = " ".join(line.text for line, _ in records)
    if len(records) != 1 + 2 * len(CALLS):
        raise malformed(_PROGRAM, words)
    labels = {**proof, **_surroundings(records[0][1])}
    for call, before, after in zip(CALLS, records[1::2], records[2::2], strict=True):
        if before[1].get("begin") != call or after[1].get("call") != call:
            raise malformed(_PROGRAM, after[0].text)
        yield from _values(call, before[0].at_ns, after[0].at_ns, after[1], labels)


def _surroundings(first: _Record) -> dict[str, Label]:
    """Under which filters and on which file system the calls were made."""
    seccomp, filesystem = (field(first, name, int, _PROGRAM) for name in ("seccomp", "filesystem"))
    return {
        "seccomp": {0: "none", 1: "strict", 2: "filter"}.get(seccomp, "unknown"),
        "filesystem": _FILESYSTEMS.get(filesystem, hex(filesystem)),
    }


def _values(call: str, began: int, ended: int, found: _Record, labels: dict[str, Label]) -> Iterator[Value]:
    calls, times = positive(found, "calls", _PROGRAM), spans(found, "ns", _PROGRAM)
    labels = labels | {"call": call, "repetitions": len(times)}
    yield Value(TIME, middle(times) / calls, labels)
    span, late = ended - began or None, "the line before the repetitions arrived with the line after them"
    yield Value(HOST_TIME, span and span / (calls * len(times)), labels, reason=late)
    yield Value(CLOCK, span and span / sum(times), labels, reason=late)
