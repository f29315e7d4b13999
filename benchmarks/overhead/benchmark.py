"""The benchmark `overhead`: what a virtual machine monitor takes beside its guest's memory, for guests of some sizes.

As in Agache et al., Firecracker, NSDI 2020, section 5.2: the data segments that are not shared, less the guest's size,
some seconds after the boot. They took them from pmap(1), which reads the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.overhead.mappings import mappings
from isoscope.benchmarks.overhead.metrics import OVERHEAD, RESERVED, RESIDENT
from isoscope.benchmarks.request import BenchmarkOption
from isoscope.core.errors import InputError, Timeout, WorkloadFailed
from isoscope.core.units import parse_duration, parse_size

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.lab import Lab
    from isoscope.core.variant import Variant
    from isoscope.core.workload import Workload

_WARMUP_SETTLE = 0.1  #: seconds


def sizes(text: str) -> tuple[int, ...]:
    """Bytes, ascending, from `128M+1G`. Raises InputError."""
    return tuple(sorted({parse_size(piece) for piece in text.split("+")}))


class Overhead(Benchmark):
    """One machine after another, each left alone for a while and then looked at from the host."""

    name: ClassVar[str] = "overhead"
    summary: ClassVar[str] = "memory of a virtual machine monitor beside its guest's, by the guest's size"
    workload: ClassVar[str] = "sleep"
    headline: ClassVar[tuple[Metric, ...]] = OVERHEAD
    dimensions: ClassVar[tuple[str, ...]] = ("guest_bytes",)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("sizes", "memory of the guests, several with + between", "128M+256M+1G", "128M+256M", sizes),
        BenchmarkOption("settle", "how long a guest is left alone before the look", "10s", "1s", parse_duration),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"own_kernel"})

    def agree(self, lab: Lab, variants: Sequence[Variant], workload: Workload, options: Mapping[str, Any]) -> None:
        """Refuse a variant that says itself how large its guest is."""
        for variant in variants:
            if "memory" in variant.options:
                raise InputError(
                    f"{variant} names a size of its own", hint="leave it out, and name it as overhead:sizes="
                )

    def measure(self, trial: Trial) -> Iterator[Value]:
        """A look at a machine of each size. Raises WorkloadFailed when one ends by itself."""
        settle = _WARMUP_SETTLE if trial.warmup else trial.options["settle"]
        for size in trial.options["sizes"]:
            trial.step(f"{size >> 20} MiB")
            yield from _look(trial, size, settle)

    def figures(self, run: Run) -> list[Figure]:
        """Both, by the guest's size."""
        from isoscope.benchmarks.report.plots import bars, found

        drawn = [
            bars(
                run,
                found(run, self.name, metric),
                name=metric.name.replace(".", "-"),
                title=f"Memory beside the guest's: {word}",
                by=("guest_bytes",),
            )
            for metric, word in ((RESERVED, "reserved"), (RESIDENT, "resident"))
        ]
        return [one for one in drawn if one is not None]


def _look(trial: Trial, size: int, settle: float) -> Iterator[Value]:
    workload = replace(trial.workload, resources=replace(trial.workload.resources, memory=size))
    with trial.instance(workload) as instance:
        instance.start()
        instance.wait_ready(trial.timeout)
        try:
            instance.wait(settle)
        except Timeout:
            found = mappings(instance.processes())
        else:
            raise WorkloadFailed("the workload ended by itself before the look", hint="give one that stays: sleep")
        labels: dict[str, Label] = {**instance.proof(), "guest_bytes": size}
    yield Value(RESERVED, sum(one.size for one in found if one.private_data) - size, labels)
    guest = max((one.pss for one in found if one.size == size), default=None)
    resident = None if guest is None else sum(one.pss for one in found) - guest
    yield Value(RESIDENT, resident, labels, reason="no mapping is as large as the guest's memory")
