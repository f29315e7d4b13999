"""Drift: whether values went up or down while a run was measured.

Blocks protect a ratio from what befalls all variants alike; they do not protect an absolute median, which then depends
on when the run was made and how long it took. Sources: Mann, "Nonparametric Tests Against Trend", Econometrica 13
(1945); Benjamini and Hochberg, "Controlling the False Discovery Rate", JRSS B 57 (1995), for many series at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from isoscope.benchmarks.harness.extent import LEAST_BLOCKS
from isoscope.benchmarks.results.quantity import number, quantity
from isoscope.benchmarks.results.statistics import Floats
from isoscope.benchmarks.results.summary import Drift, Series

#: The share of false alarms among all that is said to drift, when nothing does: the chance that anything is said.
LEVEL = 0.05


def drift(by_block: Floats) -> Drift | None:
    """The trend of block values in the order of their blocks; None for fewer than 9, or when all are equal."""
    from scipy.stats import kendalltau

    if len(by_block) < LEAST_BLOCKS or np.ptp(by_block) == 0:
        return None
    found = kendalltau(np.arange(len(by_block)), by_block)
    third = len(by_block) // 3
    return Drift(
        tau=float(found.statistic),
        p_value=float(found.pvalue),
        adjusted=float(found.pvalue),
        first=float(np.median(by_block[:third])),
        last=float(np.median(by_block[-third:])),
        autocorrelation=_lag_1(by_block),
    )


def adjusted(series: Sequence[Series]) -> list[Series]:
    """The same series with p-values of drift that allow for how many series and ratios were looked at.

    Those of one benchmark's harness and its phases are left as they are: they are not looked at for sentences.
    """
    from scipy.stats import false_discovery_control

    found = [one for one in series if one.role == "headline"]
    drifts = list(chain.from_iterable(_drifts(one) for one in found))
    if not drifts:
        return list(series)
    values = dict(zip(map(id, drifts), false_discovery_control([one.p_value for one in drifts]).tolist(), strict=True))

    def told(one: Drift | None) -> Drift | None:
        return None if one is None else replace(one, adjusted=values.get(id(one), one.adjusted))

    return [
        replace(one, drift=told(one.drift), ratio=one.ratio and replace(one.ratio, drift=told(one.ratio.drift)))
        for one in series
    ]


def sentences(series: Iterable[Series]) -> list[str]:
    """What drifted, each headline series in a sentence."""
    return [text for one in series if one.role == "headline" for text in _sentences(one)]


def _sentences(one: Series) -> list[str]:
    told = []
    if one.drift is not None and one.drift.adjusted < LEVEL:
        unit = one.metric.unit
        told.append(
            f"{one.metric.name} of {one.name} drifted {_way(one.drift)} over the run: rank correlation with time "
            f"{one.drift.tau:+.2f} (Kendall's tau), p = {one.drift.adjusted:.2g}; p50 of its first third of blocks "
            f"{quantity(one.drift.first, unit)}, of its last {quantity(one.drift.last, unit)}. "
            "Ratios within blocks are protected, absolute medians are not."
        )
    if one.ratio is not None and one.ratio.drift is not None and one.ratio.drift.adjusted < LEVEL:
        moved = one.ratio.drift
        told.append(
            f"{one.metric.name} of {one.name}: its ratio to {one.ratio.to} drifted {_way(moved)} over the run "
            f"(tau {moved.tau:+.2f}, p = {moved.adjusted:.2g}; first third {number(moved.first)}, last "
            f"{number(moved.last)}): what changed did not befall both alike, and the ratio is of this run's time only."
        )
    return told


def _drifts(one: Series) -> list[Drift]:
    return [found for found in (one.drift, one.ratio.drift if one.ratio else None) if found is not None]


def _way(found: Drift) -> str:
    return "up" if found.tau > 0 else "down"


def _lag_1(values: Floats) -> float:
    """Correlation of each block's value with the next one's, by ranks, since values lie far out."""
    from scipy.stats import rankdata

    ranks = rankdata(values)
    centred = ranks - ranks.mean()
    return float(np.sum(centred[:-1] * centred[1:]) / np.sum(centred**2))
