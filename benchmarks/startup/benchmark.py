"""The benchmark `startup`: how long until a workload is ready, phase by phase, and how long its whole life takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Trial, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption, choice, counts
from isoscope.benchmarks.startup.metrics import MAKESPAN, PHASES, STARTUP, phase
from isoscope.core.errors import HostError, Timeout, WorkloadFailed
from isoscope.core.instance import Exit, Instance

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

READY, TOTAL = STARTUP

#: Seconds after being ready within which a workload that ends by itself has ended.
LINGER = 2.0


class Startup(Benchmark):
    """One instance at a time, or some at once: create (outside the clock), start, ready, its own end, delete."""

    name: ClassVar[str] = "startup"
    summary: ClassVar[str] = "time until a workload is ready, by phases, and until all of it is gone again"
    workload: ClassVar[str] = "hello"
    headline: ClassVar[tuple[Metric, ...]] = STARTUP
    details: ClassVar[tuple[Metric, ...]] = tuple(phase(name) for name in PHASES)
    dimensions: ClassVar[tuple[str, ...]] = ("at_once", "beside")
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "at-once", "how many instances are asked for at once; several numbers as 1+10+50", "1", read=counts
        ),
        BenchmarkOption(
            "beside",
            "how many others run meanwhile, of a workload that stays; several numbers as 0+100",
            "0",
            read=partial(counts, least=0),
        ),
        BenchmarkOption(
            "cold",
            "yes: the host's page cache is dropped before each start, which slows down everything else on it",
            "no",
            read=choice("no", "yes"),
        ),
    )

    def __init__(self) -> None:
        self._stay: set[str] = set()  #: variants whose workload has been seen not to end by itself

    def headline_for(self, options: Mapping[str, Any]) -> tuple[Metric, ...]:
        """Of several at once, the makespan and each one's time until it is ready; their ends are not apart."""
        return self.headline if _alone(options) else (MAKESPAN, READY)

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Ready, total and every phase of one instance, or of several at once the makespan and each one's.

        Raises WorkloadFailed for a status other than 0, InputError for others that should run beside and have ended.
        """
        if not _alone(trial.options):
            from isoscope.benchmarks.startup.several import measure_several

            yield from measure_several(trial, trial.options["at-once"], trial.options["beside"], self._stay)
            return
        with trial.instance() as instance:
            cool(trial)
            instance.start()
            instance.wait_ready(trial.timeout)
            ended = own_end(instance, LINGER)
        labels, timeline = instance.proof(), instance.timeline
        yield Value(READY, timeline.span("start", "ready"), labels)
        if ended is None:
            yield Value(TOTAL, None, labels, reason=f"the workload did not end by itself within {LINGER:g} s")
        else:
            yield Value(TOTAL, timeline.span("start", "deleted"), labels)
        for name, span in timeline.phases().items():
            yield Value(phase(name), span, labels)

    def figures(self, run: Run) -> list[Figure]:
        """Distributions and the phase stack."""
        from isoscope.benchmarks.startup.figures import figures

        return figures(run)


def _alone(options: Mapping[str, Any]) -> bool:
    """Whether one instance is started with none beside it."""
    return bool(options["at-once"] == (1,) and options["beside"] == (0,))


def cool(trial: Trial) -> None:
    """Drop the host's caches, if that was asked for. Raises HostError when they cannot be."""
    if trial.options["cold"] == "yes":
        from isoscope.benchmarks.disk.caches import drop_of_host

        if why := drop_of_host():
            raise HostError(why, hint="run as root, or with cold=no")


def own_end(instance: Instance, patience: float) -> Exit | None:
    """How the workload ended, or None for one that stays. Raises WorkloadFailed for a status other than 0."""
    try:
        ended = instance.wait(patience)
    except Timeout:
        return None
    if ended.exit_status != 0:
        raise WorkloadFailed(f"the workload ended with status {ended.exit_status}")
    return ended
