"""What a benchmark is: the small protocol that ours and strangers' fill in alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.instance import Instance
    from isoscope.core.lab import Lab
    from isoscope.core.variant import Variant
    from isoscope.core.workload import Workload

#: A label: what a value was measured under, or what the instance proved to be.
Label = str | int | float | bool


@dataclass(frozen=True)
class Value:
    """One value that a trial found. A missing one is None with a reason, never 0."""

    metric: Metric
    value: float | None
    labels: Mapping[str, Label] = field(default_factory=dict)
    reason: str = ""  #: why there is none


@dataclass(frozen=True)
class Trial:
    """What a benchmark gets in order to measure one variant once."""

    lab: Lab
    variant: Variant
    workload: Workload
    block: int
    warmup: bool  #: kept apart: nothing that it finds enters a statistic
    timeout: float  #: seconds that an instance may take to be ready
    options: Mapping[str, Any]  #: the benchmark's own, each as its reader gave it
    #: While it is open, a first Ctrl-C waits: what is being made or removed on the host is not cut in two.
    shield: Callable[[], AbstractContextManager[None]]

    #: Says how far a long trial has come, in a few words; drawn at once, so not while a clock runs.
    step: Callable[[str], None]
    #: Keeps a file that the benchmark made, such as a tool's whole output, in the run's folder: name and contents.
    keep: Callable[[str, bytes], None]

    @contextmanager
    def instance(self, workload: Workload | None = None, variant: Variant | None = None) -> Iterator[Instance]:
        """An instance that is ready to start, deleted at the end whatever happens; by default on the trial's terms."""
        instance: Instance | None = None
        try:
            with self.shield():  # a signal that waited is raised where the shield is lowered: inside the try
                instance = self.lab.create(workload or self.workload, variant or self.variant)
            yield instance
        finally:
            if instance is not None:
                try:
                    with self.shield():
                        instance.delete()
                except KeyboardInterrupt:  # perhaps before the shield was up; to delete twice does no harm
                    instance.delete()
                    raise


class Benchmark(ABC):
    """What is measured. One object serves a whole comparison."""

    name: ClassVar[str]
    summary: ClassVar[str]  #: one line for listings
    workload: ClassVar[str]  #: the registered workload that is run when none is asked for
    headline: ClassVar[tuple[Metric, ...]]  #: what the first table shows; a failed trial has a row for each
    details: ClassVar[tuple[Metric, ...]] = ()  #: what else it finds
    #: Labels that tell one series from another, as a block size does. The accelerator always does.
    dimensions: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[BenchmarkOption, ...]] = ()
    #: Fields of `Capabilities` that must hold; a variant without one is `unavailable` and nothing is tried.
    requires: ClassVar[frozenset[str]] = frozenset()

    def headline_for(self, options: Mapping[str, Any]) -> tuple[Metric, ...]:
        """The headline of a run with these options, each as its reader gave it, where not all find the same."""
        return self.headline

    def agree(self, lab: Lab, variants: Sequence[Variant], workload: Workload, options: Mapping[str, Any]) -> None:
        """Refuse what must not be compared, by an InputError, before anything is measured.

        Backends are there to be asked what they can; `options` are the benchmark's own, each as its reader gave it.
        """
        return

    @abstractmethod
    def measure(self, trial: Trial) -> Iterable[Value]:
        """Measure once, and give each value as it is found.

        Raise whatever stops it: the trial's row is then `failed` (`unavailable` for Unsupported) with the reason, and
        the comparison goes on. Python's garbage collector is off meanwhile.
        """

    def cautions(self, run: Run) -> list[str]:
        """Sentences that a reader of its figures must know first, such as a file that fits into memory."""
        return []

    def figures(self, run: Run) -> list[Figure]:
        """The plots of its section of the report."""
        return []
