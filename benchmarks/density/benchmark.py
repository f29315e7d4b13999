"""The benchmark `density`: a ramp to many instances of one workload on one host."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.density import metrics
from isoscope.benchmarks.density.capacity import Capacity
from isoscope.benchmarks.density.estimate import Estimate
from isoscope.benchmarks.density.look import Look, Observer
from isoscope.benchmarks.density.options import OPTIONS, host_name
from isoscope.benchmarks.density.ramp import Found, Ramp
from isoscope.benchmarks.density.requests import check_equal
from isoscope.benchmarks.descriptors import Descriptors
from isoscope.benchmarks.fleet import Fleet
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption
from isoscope.benchmarks.startup.metrics import STARTUP

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.lab import Lab
    from isoscope.core.variant import Variant
    from isoscope.core.workload import Workload

READY = STARTUP[0]

#: Instances that a warm-up goes up to.
_WARMUP = 2


class Density(Benchmark):
    """Instances that run at once, more and more of them: what they use, how the next one starts, what ends it."""

    name: ClassVar[str] = "density"
    summary: ClassVar[str] = "memory, CPU and start-up against instances running, and how many fit"
    workload: ClassVar[str] = "sleep"
    headline: ClassVar[tuple[Metric, ...]] = metrics.HEADLINE
    details: ClassVar[tuple[Metric, ...]] = (*metrics.DETAILS, READY)
    dimensions: ClassVar[tuple[str, ...]] = ("host", "instances")
    options: ClassVar[tuple[BenchmarkOption, ...]] = OPTIONS
    requires: ClassVar[frozenset[str]] = frozenset({"runs_image"})

    def agree(self, lab: Lab, variants: Sequence[Variant], workload: Workload, options: Mapping[str, Any]) -> None:
        """Refuse unequal requests: what would differ then is what was asked for, not the isolation."""
        if options["unequal"] == "no":
            check_equal(lab, variants, workload)

    def measure(self, trial: Trial) -> Iterator[Value]:
        """One ramp. An instance that fails ends it: everything before is kept, and the trial has failed."""
        options = trial.options
        workload = trial.workload.with_overrides(trial.variant.options)
        observer = Observer(floor=options["memory-floor"], settle=options["settle"], network=workload.network)
        with Descriptors() as descriptors, Fleet(trial, options["at-once"]) as fleet:
            found = Ramp(
                fleet,
                observer,
                descriptors,
                upto=min(options["upto"], _WARMUP) if trial.warmup else options["upto"],
                at_once=options["at-once"],
                budget=options["budget"],
                timeout=trial.timeout,
                progress=trial.step,
            ).climb()
        if found.failure is not None and not found.looks:
            raise found.failure
        trial.keep("ramp.json", json.dumps(found.as_dict(), indent=1).encode())
        yield from _values(found, Estimate(found.before, found.looks, options["memory-floor"]), options["host"])
        if found.failure is not None:
            raise found.failure

    def cautions(self, run: Run) -> list[str]:
        """What ended each ramp and what binds; and what distorts memory here."""
        from isoscope.benchmarks.density.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Memory with its fit, and start-up, against instances running."""
        from isoscope.benchmarks.density.figures import figures

        return figures(run)


def _values(found: Found, estimate: Estimate, host: int | None) -> Iterator[Value]:
    own: dict[str, Label] = {"accelerator": found.proof["accelerator"]} if "accelerator" in found.proof else {}
    ended: dict[str, Label] = {"limit": found.limit, "ksm": found.before.ksm}
    reached = found.looks[-1].instances if found.looks else 0
    value = partial(_value, own)
    yield Value(metrics.REACHED, reached or None, {**found.proof, **ended}, reason=found.why)
    yield value(metrics.RAMP, found.ramp_ns if found.looks else None, found.why)
    yield value(metrics.MARGINAL_MEMORY, *estimate.marginal_memory())
    yield value(metrics.MARGINAL_PSS, *estimate.marginal_pss())
    for size in (None, host) if host is not None else (None,):
        if found.failure is None:
            yield _fits(estimate.capacity(size), {**own, "host": host_name(size)}, found.why)
    for look in found.looks:
        yield from _look_values(found.before, look, own)
    looked = {0, *(look.instances for look in found.looks)}
    for running, ready_ns in found.startups:
        if running in looked:
            yield Value(READY, ready_ns, {**own, "instances": running})


def _value(labels: Mapping[str, Label], metric: Metric, number: float | None, reason: str = "") -> Value:
    return Value(metric, number, labels, reason=reason)


def _fits(fits: Capacity | None, labels: Mapping[str, Label], why: str) -> Value:
    if fits is None:
        return Value(metrics.FITS, None, labels, reason=f"too few instances ran to tell: {why}")
    if fits.fits is None:
        return Value(metrics.FITS, None, labels, reason="the instances use up no limit that is known")
    return Value(metrics.FITS, fits.fits, {**labels, "binding": fits.binding})


def _look_values(before: Look, look: Look, own: Mapping[str, Label]) -> Iterator[Value]:
    labels = {**own, "instances": look.instances}
    found: dict[Metric, float | None] = {
        metrics.PSS: look.pss,
        metrics.KEEPER_PSS: look.keeper_pss,
        metrics.CGROUP_MEMORY: look.cgroup_memory,
        metrics.USED_MEMORY: before.available - look.available,
        metrics.SLAB: look.slab - before.slab,
        metrics.IDLE_CPU: look.idle,
        metrics.CPU: look.cpu,
    }
    for metric, number in found.items():
        yield Value(metric, number, labels, reason=look.missing or "the kernel does not tell")
