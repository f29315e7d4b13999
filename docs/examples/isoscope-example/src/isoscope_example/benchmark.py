"""A benchmark: how long it takes to look at every file of the image, the first time and once it is known."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic_ns
from typing import ClassVar

from isoscope.benchmarks import Benchmark, Direction, Metric, Trial, Value
from isoscope.benchmarks.inside import run_inside
from isoscope.benchmarks.request import BenchmarkOption, count

WALK = Metric(
    "files.walk",
    "ns",
    Direction.LOWER,
    "From the request to run find(1) over the image's root until the host sees its end; the label `walk` counts them.",
)


class Files(Benchmark):
    """One instance for each trial, and several walks in it."""

    name: ClassVar[str] = "files"
    summary: ClassVar[str] = "time to look at every file of the image"
    workload: ClassVar[str] = "sleep"
    headline: ClassVar[tuple[Metric, ...]] = (WALK,)
    dimensions: ClassVar[tuple[str, ...]] = ("walk",)  # each value of this label is a series of its own
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("walks", "how often the files are walked", "3", quick="2", read=count),
    )

    def measure(self, trial: Trial) -> Iterator[Value]:
        with trial.instance() as instance:
            instance.start()
            instance.wait_ready(trial.timeout)
            for number in range(1, trial.options["walks"] + 1):
                began = monotonic_ns()
                run_inside(instance, ["find", "/", "-xdev"], timeout=trial.timeout)
                yield Value(WALK, monotonic_ns() - began, {**instance.proof(), "walk": number})
