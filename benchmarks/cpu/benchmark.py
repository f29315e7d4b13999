"""The benchmark `cpu`: how much an instance computes, and what of the host's CPU time that takes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
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
from isoscope.benchmarks.cpu import sysbench
from isoscope.benchmarks.cpu.metrics import CLOCK, EVENTS, FLOPS, HOST_BUSY, HOST_CPU, OWN_CPU, SHARE
from isoscope.benchmarks.cpu_time import NOT_COUNTED
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption, choice, count
from isoscope.core.units import parse_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.instance import Instance

#: Seconds beyond what it should take within which a tool has ended.
_GRACE = 60.0

_REPETITIONS = 5
_TOOLS = ("sysbench", "linpack")


class Cpu(Benchmark):
    """sysbench and a LINPACK of ours, one after the other in one instance that stays."""

    name: ClassVar[str] = "cpu"
    summary: ClassVar[str] = "integer and floating-point work a second, and the host's CPU time behind it"
    workload: ClassVar[str] = "bench"
    headline: ClassVar[tuple[Metric, ...]] = (EVENTS, FLOPS, HOST_CPU)
    details: ClassVar[tuple[Metric, ...]] = (OWN_CPU, HOST_BUSY, SHARE, CLOCK)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("time", "how long each tool runs", "5s", quick="1s", read=parse_duration),
        BenchmarkOption("threads", "threads of sysbench", "1", read=count),
        BenchmarkOption("tool", "which is run: sysbench, linpack or both", "both", read=choice("both", *_TOOLS)),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def headline_for(self, options: Mapping[str, Any]) -> tuple[Metric, ...]:
        """What the tools that are run find."""
        return {"both": self.headline, "sysbench": (EVENTS, HOST_CPU), "linpack": (FLOPS,)}[options["tool"]]

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Both tools' figures. Raises CommandNotFound for an image without them, WorkloadFailed, Timeout."""
        seconds = min(1.0, trial.options["time"]) if trial.warmup else trial.options["time"]
        with staying(trial) as instance:
            if trial.options["tool"] != "linpack":
                yield from _sysbench(trial, instance, seconds)
            if trial.options["tool"] != "sysbench":
                yield from _linpack(trial, instance, seconds)

    def cautions(self, run: Run) -> list[str]:
        """TCG, clocks, CPUs that others used, and a speed that nobody knows."""
        from isoscope.benchmarks.cpu.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Work a second, and CPU time on both sides."""
        from isoscope.benchmarks.cpu.figures import figures

        return figures(run)


def _sysbench(trial: Trial, instance: Instance, seconds: float) -> Iterator[Value]:
    threads = trial.options["threads"]
    trial.step("sysbench")
    done = accounted(instance, sysbench.command(seconds, threads), timeout=seconds + _GRACE)
    trial.keep("sysbench.txt", done.text)
    report = sysbench.read(line.text for line in done.lines)
    labels = _labels(instance, done) | {"threads": threads}
    yield Value(EVENTS, report.rate, labels)
    yield _per_event(HOST_CPU, done.host_cpu_ns, report.events, labels)
    yield _per_event(OWN_CPU, done.own_cpu_ns, report.events, labels)
    yield _per_event(HOST_BUSY, done.host_busy_ns, report.events, labels)
    yield Value(SHARE, done.share, labels, reason=NOT_COUNTED)
    yield Value(CLOCK, done.clock, labels)


def _per_event(metric: Metric, total: int | None, events: int, labels: Mapping[str, Label]) -> Value:
    return Value(metric, None if total is None else total / events, labels, reason=NOT_COUNTED)


def _linpack(trial: Trial, instance: Instance, seconds: float) -> Iterator[Value]:
    trial.step("linpack")
    command = ("linpack", str(max(1, round(seconds * 1000))), str(_REPETITIONS))
    done = accounted(instance, command, timeout=2 * seconds + _GRACE)
    trial.keep("linpack.jsonl", done.text)
    records = [found for _, found in done.records()]
    if len(records) != 2:
        raise malformed("linpack", "\n".join(line.text for line in done.lines))
    operations = positive(records[1], "operations", "linpack")
    rates = [operations * 1e9 / span for span in spans(records[1], "ns", "linpack")]
    simd = field(records[1], "simd", str, "linpack")
    yield Value(FLOPS, middle(rates), _labels(instance, done) | {"simd": simd})


def _labels(instance: Instance, done: Accounted) -> dict[str, Label]:
    return {**instance.proof(), "command": shlex.join(done.command)}
