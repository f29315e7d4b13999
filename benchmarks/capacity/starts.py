"""How fast instances start, from what was measured: one after another, and several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from isoscope.benchmarks.capacity.fit import MOST_DEVIATION, Estimate, estimate
from isoscope.benchmarks.density.capacity import slope
from isoscope.benchmarks.results.past import PastRun

_NS = 1e9


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

    first: float  #: with none running
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
    """From the starts of each ramp; None for ramps of less than two."""
    starts = [[(one["running"], one["ready_ns"]) for one in ramp["startups"]] for ramp in ramps]
    if any(len(each) < 2 for each in starts):
        return None
    each = estimate([slope(*zip(*points, strict=True)) for points in starts])
    first = median(ns for points in starts for _, ns in points[: max(1, len(points) // 4)])
    furthest = min(max(running for running, _ in points) for points in starts)
    halves = [median(ns for running, ns in points if running * 2 >= furthest) for points in starts]
    rise = each.value * furthest * 0.75
    off = abs(median(halves) - first - rise)
    return Growth(first, each, off / rise if rise > 0 else 0.0)
