"""A/A comparisons: the same variant against itself, where whatever is found is a false alarm.

A run in which a variant stands twice is cut into disjoint comparisons of so many blocks each. They share no value, so
the alarms are counts of a binomial distribution, and what befell the host for minutes, which blocks are there to take
out, is in them as it would be in a real comparison. (Swapping the two labels at random would be the permutation test's
own null hypothesis, and could find nothing.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from isoscope.benchmarks.harness.terms import Subject
from isoscope.benchmarks.results import statistics
from isoscope.benchmarks.results.statistics import Floats

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

#: The share of comparisons of equals in which the permutation test may report a difference: its level.
STATED = 0.05

#: The same for intervals: the widest gap to 95 % that simulations of known distributions allow.
STATED_INTERVAL = 0.08

#: The chance that a working instrument fails its selftest, whatever the number of series.
_DOUBT = 0.05


@dataclass(frozen=True)
class Rate:
    """How often a difference was reported where there is none."""

    alarms: int
    rate: float
    low: float  #: 95 % interval of the rate (Clopper-Pearson)
    high: float
    p_value: float  #: of as many alarms or more, were the rate the stated one


@dataclass(frozen=True)
class Result:
    """What the comparisons of one series found."""

    benchmark: str
    metric: str
    variant: str
    backend: str
    accelerator: str
    labels: dict[str, Any]
    blocks: int  #: of each comparison
    comparisons: int
    permutation: Rate | None  #: p < 0.05; None without a comparison
    interval: Rate | None  #: the 95 % interval of the ratio does not hold 1
    half_width: float | None  #: relative, of the interval of the ratio; the median of all comparisons
    greatest: float | None  #: greatest distance of a ratio from 1

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def results(run: Run, subject: Subject, blocks: int) -> Iterator[Result]:
    """A result for each headline series of a run of one variant and its twin."""
    name, twin = run.terms.variants
    frame = run.trials
    frame = frame[~frame["warmup"] & (frame["status"] == "ok") & frame["variant"].isin((name, twin))]
    dimensions = [tuple(labels.get(key) for key in subject.dimensions) for labels in frame["labels"]]
    frame = frame.assign(dimensions=pd.Series(dimensions, index=frame.index, dtype=object))
    for metric in subject.headline:
        rows = frame[frame["metric"] == metric.name]
        for key, group in rows.groupby(["accelerator", "dimensions"], sort=False):
            accelerator, values = cast("tuple[str, tuple[Any, ...]]", key)
            ours, theirs = _paired(group, name, twin)
            found = [
                _compare(ours[start : start + blocks], theirs[start : start + blocks], [run.terms.seed, start])
                for start in range(0, len(ours) - blocks + 1, blocks)
            ]
            yield Result(
                benchmark=subject.benchmark,
                metric=metric.name,
                variant=name,
                backend=run.terms.variant(name).backend,
                accelerator=accelerator,
                labels={key: value for key, value in zip(subject.dimensions, values, strict=True) if value is not None},
                blocks=blocks,
                comparisons=len(found),
                **_told(found),
            )


def failing(found: Sequence[Result]) -> list[Result]:
    """Those series in which more differences were reported than stated, allowing for how many series there are."""
    rates = [[rate for rate in (one.permutation, one.interval) if rate is not None] for one in found]
    level = _DOUBT / max(1, sum(map(len, rates)))
    return [one for one, of in zip(found, rates, strict=True) if any(rate.p_value < level for rate in of)]


@dataclass(frozen=True)
class _Comparison:
    ratio: float | None
    half_width: float | None
    excludes_1: bool | None
    p_value: float | None


def _paired(rows: pd.DataFrame, name: str, twin: str) -> tuple[Floats, Floats]:
    """The values of both in the order of the blocks that have both."""
    table = rows.pivot_table(index="block", columns="variant", values="value", aggfunc="median")
    if not {name, twin} <= set(table.columns):
        return np.empty(0), np.empty(0)
    table = table[[name, twin]].dropna().sort_index()
    return table[name].to_numpy(dtype=np.float64), table[twin].to_numpy(dtype=np.float64)


def _compare(ours: Floats, theirs: Floats, seed: list[int]) -> _Comparison:
    rng = np.random.default_rng(seed)
    ratio = float(np.median(ours) / np.median(theirs)) if np.median(theirs) else None
    found = statistics.ratio_interval(ours, theirs, rng)
    p_value = statistics.difference(ours, theirs, rng)
    if ratio is None or found.low is None or found.high is None:
        return _Comparison(ratio, None, None, p_value)
    half = (found.high - found.low) / 2 / abs(ratio) if ratio else None
    return _Comparison(ratio, half, not found.low <= 1 <= found.high, p_value)


def _told(found: list[_Comparison]) -> dict[str, Any]:
    decided = [one.excludes_1 for one in found if one.excludes_1 is not None]
    tested = [one.p_value < STATED for one in found if one.p_value is not None]
    widths = [one.half_width for one in found if one.half_width is not None]
    return {
        "permutation": _rate(tested, STATED),
        "interval": _rate(decided, STATED_INTERVAL),
        "half_width": float(np.median(widths)) if widths else None,
        "greatest": max((abs(one.ratio - 1) for one in found if one.ratio is not None), default=None),
    }


def _rate(alarms: list[bool], stated: float) -> Rate | None:
    from scipy.stats import binomtest

    if not alarms:
        return None
    test = binomtest(sum(alarms), len(alarms), stated, alternative="greater")
    interval = binomtest(sum(alarms), len(alarms)).proportion_ci(0.95, method="exact")
    return Rate(sum(alarms), sum(alarms) / len(alarms), float(interval.low), float(interval.high), float(test.pvalue))
