"""How fast instances start, from what was measured: one after another, and several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from typing import Any

from isoscope.benchmarks.capacity.fit import MOST_DEVIATION, Estimate, estimate, line
from isoscope.benchmarks.results.past import PastRun

_NS = 1e9

#: Into which the starts of a ramp are divided.
_PARTS = 5


@dataclass(frozen=True)
class Rate:
    """Starts a second on the host that was measured."""

    at_once: int
    value: float
    low: float
    high: float
    confident: bool  #: whether that is an interval of 95 %; else they are those of the slowest and the fastest trial
    blocks: int
    source: str


def rate(run: PastRun, variant: str, accelerator: str) -> Rate | None:
    """The rate in a run of `startup`: of so many at once, their number over the time until the last is ready."""
    subject = run.subject("startup")
    if subject is None:
        return None
    at_once = int(subject["options"].get("at-once", "1"))
    metric = "startup.ready" if at_once == 1 else "startup.makespan"
    for series in run.summary["series"]:
        key = (series["benchmark"], series["metric"], series["variant"], series["accelerator"])
        if key == ("startup", metric, variant, accelerator) and series["p50"]:
            interval = series["median_interval"]
            confident = interval["low"] is not None
            ends = (interval["high"], interval["low"]) if confident else (series["greatest"], series["least"])
            value, low, high = (at_once * _NS / ns for ns in (series["p50"], *ends))
            return Rate(at_once, value, low, high, confident, series["blocks"], str(run.directory))
    return None


@dataclass(frozen=True)
class Growth:
    """How the start of one more grows with those that run; nanoseconds."""

    first: float  #: with none running; with any number, where it does not grow
    each: Estimate  #: more for every one that runs
    deviation: float

    @property
    def flat(self) -> bool:
        """Whether no growth is shown."""
        return self.each.low <= 0

    @property
    def holds(self) -> bool:
        """Whether it can be said of many: no growth, or one along a line."""
        return self.flat or self.deviation <= MOST_DEVIATION

    def fill(self, count: int) -> float:
        """Nanoseconds until so many are up, one after another."""
        slope_ns = 0.0 if self.flat else self.each.value
        return count * self.first + slope_ns * count * (count - 1) / 2


def growth(ramps: Sequence[Mapping[str, Any]]) -> Growth | None:
    """From the starts of each ramp; None for ramps of too few."""
    starts = [[(one["running"], one["ready_ns"]) for one in ramp["startups"]] for ramp in ramps]
    if any(len(each) < _PARTS for each in starts):
        return None
    lines = [line(_middles(points)) for points in starts]
    each = estimate([slope for slope, _, _ in lines])
    flat = each.low <= 0
    first = median(ns for points in starts for _, ns in points) if flat else median(start for _, start, _ in lines)
    return Growth(first, each, median(off for _, _, off in lines))


def _middles(points: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """The median start in each part of a ramp: one that was late by chance pulls no line."""
    edges = [len(points) * part // _PARTS for part in range(_PARTS + 1)]
    parts = [points[begin:end] for begin, end in pairwise(edges)]
    return [(mean(running for running, _ in part), median(ns for _, ns in part)) for part in parts]
