"""The benchmark `memory`: bandwidth, what a page costs, and the host's CPU time behind both."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.accounted import (
    Accounted,
    accounted,
    field,
    malformed,
    middle,
    positive,
    spans,
    staying,
)
from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.cpu_time import NOT_COUNTED
from isoscope.benchmarks.memory.caches import last_level_cache
from isoscope.benchmarks.memory.metrics import (
    BANDWIDTH,
    CLOCK,
    FAULT,
    HOST_CPU,
    OPERATIONS,
    OWN_CPU,
    PAGES,
    SHARE,
    TOUCH,
    UNMAP,
)
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption, count
from isoscope.core.errors import InputError, WorkloadFailed
from isoscope.core.units import parse_size

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.instance import Instance

_PAGE = 4096

#: MiB of the region that is mapped, touched and unmapped: eight huge pages.
_REGION = 16

_TIMEOUT = 300.0

_MOST = 200  #: repetitions: beyond, the values in STREAM's arrays overflow

_KILLED = 128 + 9

_Labels = dict[str, Label]


def mebibytes(text: str) -> int:
    """A size in whole MiB. Raises InputError."""
    size = parse_size(text)
    if size % (1 << 20):
        raise InputError(f"{text!r} is not a whole number of MiB", hint="write 48M")
    return size >> 20


class Memory(Benchmark):
    """Two static programs of ours, one after the other in one instance that stays.

    `stream` goes first: it touches most of a VM's memory, so that what `faults` finds is the cost of a page fault in
    the guest, and not of the host's finding memory for the guest.
    """

    name: ClassVar[str] = "memory"
    summary: ClassVar[str] = "memory bandwidth and the cost of a page, with the host's CPU time"
    workload: ClassVar[str] = "bench"
    headline: ClassVar[tuple[Metric, ...]] = (BANDWIDTH, FAULT)
    details: ClassVar[tuple[Metric, ...]] = (TOUCH, UNMAP, HOST_CPU, OWN_CPU, SHARE, CLOCK)
    dimensions: ClassVar[tuple[str, ...]] = ("operation", "pages", "program")
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "array", "size of each of STREAM's three arrays: several times the last cache's", "48M", read=mebibytes
        ),
        BenchmarkOption(
            "repetitions",
            f"repetitions of each operation and of each region, at most {_MOST}",
            "10",
            quick="5",
            read=partial(count, most=_MOST),
        ),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Both programs' figures. Raises CommandNotFound for an image without them, WorkloadFailed, Timeout."""
        repetitions = 1 if trial.warmup else trial.options["repetitions"]
        with staying(trial) as instance:
            stream = _run(trial, instance, "stream", trial.options["array"], repetitions)
            faults = _run(trial, instance, "faults", _REGION, repetitions)
            proof = instance.proof()
        yield from read_stream(stream, proof | {"array_bytes": trial.options["array"] << 20, **last_level_cache()})
        yield from read_faults(faults, proof)
        for done in (stream, faults):
            labels = proof | {"program": done.command[0], "command": shlex.join(done.command)}
            yield Value(HOST_CPU, done.host_cpu_ns, labels, reason=NOT_COUNTED)
            yield Value(OWN_CPU, done.own_cpu_ns, labels)
            yield Value(SHARE, done.share, labels, reason=NOT_COUNTED)
            yield Value(CLOCK, done.clock, labels)

    def cautions(self, run: Run) -> list[str]:
        """TCG, arrays that fit into a cache, clocks, CPUs that others used."""
        from isoscope.benchmarks.memory.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Bandwidth by operation, and what a page costs."""
        from isoscope.benchmarks.memory.figures import figures

        return figures(run)


def _run(trial: Trial, instance: Instance, program: str, mebibytes: int, repetitions: int) -> Accounted:
    trial.step(program)
    try:
        done = accounted(instance, (program, str(mebibytes), str(repetitions)), timeout=_TIMEOUT)
    except WorkloadFailed as error:
        if error.command_status == _KILLED:
            raise WorkloadFailed(
                f"{program} was killed",
                hint="its memory does not fit: give the variant more, or -m memory:array=16M",
                command_status=_KILLED,
            ) from error
        raise
    trial.keep(f"{program}.jsonl", done.text)
    return done


def read_stream(done: Accounted, labels: Mapping[str, Label]) -> Iterator[Value]:
    """The values in what `stream` printed. Raises WorkloadFailed when it is not what the program prints."""
    found = {line["operation"]: line for _, line in done.records() if isinstance(line.get("operation"), str)}
    ends = [line for _, line in done.records() if line.get("end") == "stream"]
    if tuple(found) != tuple(OPERATIONS) or len(ends) != 1:
        raise malformed("stream", "\n".join(line.text for line in done.lines))
    huge = field(ends[0], "huge", int, "stream")
    for operation, line in found.items():
        moved, times = positive(line, "bytes", "stream"), spans(line, "ns", "stream")
        own: _Labels = {"operation": operation, "huge_bytes": huge, "command": shlex.join(done.command)}
        rates = [moved * 1e9 / time for time in times]
        yield Value(BANDWIDTH, middle(rates), {**labels, **own, "repetitions": len(times)})


def read_faults(done: Accounted, labels: Mapping[str, Label]) -> Iterator[Value]:
    """The values in what `faults` printed. Raises WorkloadFailed when it is not what the program prints."""
    found = {line["pages"]: line for _, line in done.records() if isinstance(line.get("pages"), str)}
    if tuple(found) != tuple(PAGES):
        raise malformed("faults", "\n".join(line.text for line in done.lines))
    for pages, line in found.items():
        yield from _pages(pages, line, {**labels, "pages": pages, "command": shlex.join(done.command)})


def _pages(pages: str, line: Mapping[str, Any], labels: _Labels) -> Iterator[Value]:
    size, huge = positive(line, "bytes", "faults"), field(line, "huge", int, "faults")
    steps = [spans(line, step, "faults") for step in ("map", "touch", "unmap")]
    if len({len(times) for times in steps}) != 1:
        raise malformed("faults", str(dict(line)))
    reason = ""
    if pages == "thp" and huge < size:
        reason = f"the instance's kernel gave huge pages for {huge >> 20} of {size >> 20} MiB"
    whole = [sum(times) for times in zip(*steps, strict=True)]
    labels = labels | {"region_bytes": size, "repetitions": len(whole)}
    for metric, times in ((FAULT, whole), (TOUCH, steps[1]), (UNMAP, steps[2])):
        yield Value(metric, None if reason else middle(times) * _PAGE / size, labels, reason=reason)
