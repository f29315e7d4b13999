"""Statistics of two runs: their blocks share no moment, so nothing is paired."""

from __future__ import annotations

import warnings

import numpy as np
from isoscope.benchmarks.harness.extent import LEAST_BLOCKS
from isoscope.benchmarks.results.statistics import CONFIDENCE, Floats, Interval

#: Resamples of the bootstrap and of the permutation test, and how many values are drawn at a time.
_RESAMPLES = 9999
_BATCH = 2_000_000


def ratio_of_independent(blocks: Floats, others: Floats, rng: np.random.Generator) -> Interval:
    """BCa bootstrap interval of the median of `blocks` over that of `others`, each drawn on its own.

    The level is raised to that of Student's t with one degree of freedom less than the shorter run has blocks: a
    bootstrap of few values is too narrow (Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69 (2015)). In simulation it so covers the truth in 94 to 98 % of runs of 9 to 30 blocks, without it in
    90 to 97 %.
    """
    from scipy.special import ndtr, stdtrit
    from scipy.stats import DegenerateDataWarning, bootstrap

    if np.median(others) == 0:
        return Interval(None, None, "the first run's median is 0")
    if min(np.median(blocks), np.median(others)) < 0:
        return Interval(None, None, "a median is negative: a ratio to it, or of it, would say nothing")
    fewer = min(len(blocks), len(others))
    if fewer < LEAST_BLOCKS:
        return Interval(None, None, f"{fewer} blocks: an interval needs at least {LEAST_BLOCKS}")
    if np.ptp(blocks) == 0 and np.ptp(others) == 0:
        same = float(blocks[0] / others[0])
        return Interval(same, same)
    reach = stdtrit(fewer - 1, (1 + CONFIDENCE) / 2)
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)  # it gives NaN, which is told below
        found = bootstrap(
            (blocks, others),
            lambda ours, theirs, axis: np.median(ours, axis=axis) / np.median(theirs, axis=axis),
            paired=False,
            vectorized=True,
            confidence_level=float(2 * ndtr(reach) - 1),
            n_resamples=_RESAMPLES,
            batch=max(1, _BATCH // (len(blocks) + len(others))),
            rng=rng,
        ).confidence_interval
    if not np.isfinite([found.low, found.high]).all():
        return Interval(None, None, "nearly all values are equal: the bootstrap has no width")
    return Interval(float(found.low), float(found.high))


def difference_of_independent(blocks: Floats, others: Floats, rng: np.random.Generator) -> float | None:
    """Two-sided p-value of a permutation test that deals all values to the two runs anew.

    None where there is no interval. The statistic is what the interval is of: the (log) ratio of the medians, or their
    difference when a value is not positive.
    """
    from scipy.stats import permutation_test

    if min(len(blocks), len(others)) < LEAST_BLOCKS:
        return None
    ratios = bool(min(blocks.min(), others.min()) > 0)

    def statistic(ours: Floats, theirs: Floats, axis: int) -> Floats:
        medians = np.median(ours, axis=axis), np.median(theirs, axis=axis)
        return np.asarray(np.log(medians[0] / medians[1]) if ratios else medians[0] - medians[1])

    found = permutation_test(
        (blocks, others),
        statistic,
        permutation_type="independent",
        n_resamples=_RESAMPLES,
        batch=max(1, _BATCH // (len(blocks) + len(others))),
        vectorized=True,
        rng=rng,
    )
    return float(found.pvalue)
