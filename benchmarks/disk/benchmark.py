"""The benchmark `disk`: fio's phases on one file, caches dropped before each, and what a flush costs."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.cpu_time import CpuTime
from isoscope.benchmarks.disk import caches, fio
from isoscope.benchmarks.disk.durability import native_flush, unflushed
from isoscope.benchmarks.disk.metrics import (
    BANDWIDTH,
    CPU,
    DETAILS,
    FLUSH,
    HEADLINE,
    HOST_CPU,
    IOPS,
    LATENCY_MEAN,
    LATENCY_P50,
    LATENCY_P99,
)
from isoscope.benchmarks.disk.phases import Job, Phase, Plan, read_phases
from isoscope.benchmarks.disk.place import place
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption
from isoscope.core.errors import HostError, InputError
from isoscope.core.instance import Instance
from isoscope.core.units import format_size, parse_size

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_NAME = "isoscope.fio"  #: of the test file

_LEAST_SIZE = 16 << 20  #: sixteen requests of 1 MiB are under way at a time
_SLOWEST = 4 << 20  #: B/s at which the file is laid out, or the trial has failed
_WARMUP = 0.5  #: seconds of the one phase of a warm-up


def _read_size(text: str) -> int:
    size = parse_size(text)
    if size < _LEAST_SIZE or size % (1 << 20):
        raise InputError(
            f"{text!r} is no size for the test file: it is whole MiB, and at least {format_size(_LEAST_SIZE)}",
            hint="write 64M or 1G",
        )
    return size


def _read_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 86_400:
        raise InputError(f"{text!r} is not a number of seconds from 0.1 to a day", hint="write 0.5, 5 or 60")
    return seconds


class Disk(Benchmark):
    """Drops the caches of the whole host before each phase: whatever else runs there reads its files again."""

    name: ClassVar[str] = "disk"
    summary: ClassVar[str] = "storage under fio, and what a flush costs; drops the caches of the whole host"
    workload: ClassVar[str] = "fio"
    headline: ClassVar[tuple[Metric, ...]] = HEADLINE
    details: ClassVar[tuple[Metric, ...]] = DETAILS
    dimensions: ClassVar[tuple[str, ...]] = ("phase",)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "size", "of the test file; more than memory, where a cache is on its way", "1G", "64M", _read_size
        ),
        BenchmarkOption("runtime", "seconds of each phase", "5", "0.3", _read_seconds),
        BenchmarkOption("ramp", "seconds before each phase that do not count", "1", "0.1", _read_seconds),
        BenchmarkOption(
            "phases",
            "which, with + between them: seq-write, seq-read, seq-read-qd2, rand-write, rand-write-x8, rand-read, "
            "rand-read-x8, mixed, which are all; and fc-read-4k, fc-read-4k-qd1, fc-write-4k, fc-read-128k, "
            "fc-write-128k",
            "all",
            "seq-write+seq-read+rand-write+rand-read",
            read_phases,
        ),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Lay out the file, then each phase and the flushes. Raises whatever stops it."""
        size, runtime = trial.options["size"], trial.options["runtime"]
        _check_room(trial, size)
        with trial.instance() as instance:
            instance.start()
            instance.wait_ready(trial.timeout)
            plan = Plan(
                f"{place(instance)}/{_NAME}",
                size,
                min(runtime, _WARMUP) if trial.warmup else runtime,
                trial.options["ramp"],
            )
            yield from _Session(trial, instance, plan).measure()

    def cautions(self, run: Run) -> list[str]:
        """What the file's size, the caches and the flushes make of the figures."""
        from isoscope.benchmarks.disk.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Bars of every phase, tails of latency, CPU time, and flushes."""
        from isoscope.benchmarks.disk.figures import figures

        return figures(run)


@dataclass
class _Session:
    """The phases of one trial in one instance."""

    trial: Trial
    instance: Instance
    plan: Plan

    def measure(self) -> Iterator[Value]:
        wanted: tuple[Phase, ...] = self.trial.options["phases"]
        phases = wanted[:1] if self.trial.warmup else wanted
        jobs = [self.plan.layout(), *map(self.plan.phase, phases), self.plan.flush()]
        self.trial.keep("jobs.fio", "\n".join(job.text() for job in jobs).encode())
        memory = caches.guest_memory(self.instance, timeout=self.trial.timeout)
        common: dict[str, Label] = {**self.instance.proof(), "kernel_memory": memory}
        self.trial.step("laying out the file")
        self._run(self.plan.layout(), timeout=self.trial.timeout + self.plan.size / _SLOWEST)
        start = CpuTime(0, 0) if self.trial.warmup else self._cost_of_starting()
        for number, phase in enumerate(phases, 1):
            self.trial.step(f"{phase.name}, {number} of {len(phases)}: dropping the caches of the whole host")
            labels = {**common, "cached": self._forget()}
            self.trial.step(f"{phase.name}, {number} of {len(phases)}")
            before = CpuTime.now(self.instance)
            report = self._run(self.plan.phase(phase))
            yield from self._values(phase, report, CpuTime.now(self.instance) - before - start, labels)
        self.trial.step("flushes")
        yield self._flushes(common)

    def _run(self, job: Job, timeout: float | None = None) -> fio.Report:
        patience = self.trial.timeout + self.plan.ramp + self.plan.runtime
        report = fio.run(self.instance, job, timeout=timeout or patience)
        self.trial.keep(f"{job.name}.json", report.raw)
        return report

    def _forget(self) -> str:
        """Drop the caches. Returns why the file may still be in memory, or nothing."""
        capabilities = self.trial.lab.capabilities(self.trial.variant)
        return caches.drop(self.instance, self.plan.file, self.plan.size, own_kernel=capabilities.own_kernel)

    def _cost_of_starting(self) -> CpuTime:
        """What it takes to load fio with its libraries and to have it read a job."""
        self._forget()
        before = CpuTime.now(self.instance)
        fio.check(self.instance, self.plan.phase(self.trial.options["phases"][0]), timeout=self.trial.timeout)
        return CpuTime.now(self.instance) - before

    def _values(self, phase: Phase, report: fio.Report, cpu: CpuTime, common: Mapping[str, Label]) -> Iterator[Value]:
        for side, series in phase.series.items():
            found = report.sides.get(side)
            if found is None:
                raise fio.nothing(series)
            labels = {**common, "phase": series}
            yield Value(BANDWIDTH, found.bandwidth, labels) if phase.sequential else Value(IOPS, found.iops, labels)
            yield Value(LATENCY_MEAN, found.mean, labels)
            yield Value(LATENCY_P50, found.p50, labels)
            yield Value(LATENCY_P99, found.p99, labels)
        # What was done in the ramp cost as much, and is not among what fio counts.
        done = sum(side.iops for side in report.sides.values()) * (report.runtime + self.plan.ramp)
        yield _per_operation(CPU, cpu.instance, done, {**common, "phase": phase.name})
        yield _per_operation(HOST_CPU, cpu.host, done, {**common, "phase": phase.name})

    def _flushes(self, common: Mapping[str, Label]) -> Value:
        report = self._run(self.plan.flush())
        lost = unflushed(self.instance.backing(self.plan.file), report.writes)
        if report.flush is None:
            raise fio.nothing("flush")
        labels: dict[str, Label] = {
            **common,
            "phase": "flush",
            "write_ns": report.sides["write"].p50,
            "native_ns": native_flush(self.trial.lab.home),
        }
        return Value(FLUSH, report.flush, labels if lost is None else {**labels, "unflushed": round(lost, 3)})


def _per_operation(metric: Metric, spent: int | None, done: float, labels: Mapping[str, Label]) -> Value:
    if spent is None:
        return Value(metric, None, labels, reason="the backend does not count CPU time here")
    if spent <= 0:
        return Value(
            metric, None, labels, reason="it is not to be told from what starting fio takes: runtime is too short"
        )
    return Value(metric, spent / done, labels)


def _check_room(trial: Trial, size: int) -> None:
    """Check, before anything is made, that the file fits. Raises HostError."""
    free = shutil.disk_usage(trial.lab.home).free
    if free < size:
        raise HostError(
            f"the disk is too full: the test file takes {format_size(size)}, and {format_size(free)} are free",
            hint="use a smaller size, or set ISOSCOPE_HOME to a larger disk",
        )
