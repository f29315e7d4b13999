"""Statistics whose unit is the block: trials of one block share their moment, so only blocks are independent.

Sources: Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987), for BCa; Hyndman and Fan, "Sample Quantiles in
Statistical Packages", The American Statistician 50 (1996), whose type 7 the percentiles are; Iglewicz and Hoaglin, "How
to Detect and Handle Outliers" (1993), for the modified z-score; Hesterberg, "What Teachers Should Know About the
Bootstrap", The American Statistician 69 (2015), for why a bootstrap of few values is too narrow, and by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from isoscope.benchmarks.harness.extent import LEAST_BLOCKS
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95

#: Resamples of the bootstrap, and how many values they may draw in all: more blocks need fewer of them.
_RESAMPLES = 9999
_LEAST_RESAMPLES = 999
_DRAWS = 500_000

#: Values drawn at a time, which bounds the memory used.
_BATCH = 500_000

#: Modified z-score beyond which a value is flagged.
_OUTLYING = 3.5


@dataclass(frozen=True)
class Interval:
    """A confidence interval, or why there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


def percentiles(values: Floats) -> tuple[float, float, float]:
    """p50, p90 and p99 (type 7: linear between order statistics; of few values the high ones are near the greatest)."""
    p50, p90, p99 = np.percentile(values, [50, 90, 99])
    return float(p50), float(p90), float(p99)


def median_interval(blocks: Floats, rng: np.random.Generator) -> Interval:
    """BCa bootstrap interval of the median of block values."""
    from scipy.special import ndtri

    reach = float(ndtri((1 + CONFIDENCE) / 2))
    return _bca([blocks], lambda medians: medians[0], reach, lambda: _medians_drawn(blocks, rng))


def ratio_interval(blocks: Floats, baseline: Floats, rng: np.random.Generator) -> Interval:
    """BCa bootstrap interval of the ratio of two medians; the arrays are paired, and blocks are drawn as pairs.

    Its tails are those of Student's t, not of the normal distribution: a bootstrap of few values is too narrow, which
    the steps between medians hide in one median, but not in a ratio of two. Without it 10 blocks cover only 90 %.
    """
    from scipy.special import stdtrit

    if np.median(baseline) == 0:
        return Interval(None, None, "the baseline's median is 0")
    if min(np.median(blocks), np.median(baseline)) < 0:
        return Interval(None, None, "a median is negative: a ratio to it, or of it, would say nothing")
    reach = float(stdtrit(max(1, len(blocks) - 1), (1 + CONFIDENCE) / 2))

    def ratio(medians: list[Floats]) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):  # to 0: `_bca` looks for it
            return medians[0] / medians[1]

    return _bca([blocks, baseline], ratio, reach, lambda: _draw([blocks, baseline], ratio, rng))


def difference(blocks: Floats, baseline: Floats, rng: np.random.Generator) -> float | None:
    """Two-sided p-value of a permutation test that swaps the two values within blocks; None where there is no interval.

    Of fewer than `LEAST_BLOCKS` blocks, p could be 1 for values a hundred times apart: medians of so few are the same
    under most swaps.
    The statistic is what the interval is of: the (log) ratio of the medians, or their difference when a value is not
    positive. All 2**n swaps are made when that is not more than 9,999, else as many random ones.
    """
    n = len(blocks)
    if n < LEAST_BLOCKS:
        return None
    ratios = bool(np.min((blocks, baseline)) > 0)
    found = [_difference(blocks, baseline, swaps, ratios) for swaps in _swaps(n, rng)]
    null = np.concatenate(found)
    observed = _difference(blocks, baseline, np.zeros((1, n), dtype=np.bool_), ratios)[0]
    close = 1e-14 * abs(observed)  # equal but for rounding
    tails = np.count_nonzero(null <= observed + close), np.count_nonzero(null >= observed - close)
    drawn = int(2**n > _RESAMPLES)  # what was observed is one of all swaps, but not of the drawn ones
    return float(min(1.0, 2 * (min(tails) + drawn) / (len(null) + drawn)))


def _swaps(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Which of n blocks are swapped: every way, or many random ones, some at a time."""
    size = max(1, _BATCH // n)
    if 2**n <= _RESAMPLES:
        every = np.arange(2**n)[:, np.newaxis] >> np.arange(n) & 1
        yield from np.array_split(every.astype(np.bool_), -(-(2**n) // size))
        return
    left = _resamples(n)
    while left > 0:
        yield rng.integers(0, 2, (min(left, size), n), dtype=np.bool_)
        left -= size


def _difference(blocks: Floats, baseline: Floats, swaps: NDArray[np.bool_], ratios: bool) -> Floats:
    """The log ratio of the medians, or their difference, under each set of swaps."""
    ranked, ranks = _ranked(np.concatenate((blocks, baseline)))
    ours, theirs = ranks[: len(blocks)], ranks[len(blocks) :]
    medians = _medians(ranked, np.where(swaps, theirs, ours)), _medians(ranked, np.where(swaps, ours, theirs))
    return np.asarray(np.log(medians[0] / medians[1]) if ratios else medians[0] - medians[1])


def outliers(values: Floats) -> NDArray[np.bool_]:
    """Which values lie far out: modified z-score beyond 3.5. None of them when more than half are equal."""
    distance = np.abs(values - np.median(values))
    spread = np.median(distance)
    if spread == 0:
        return np.zeros(len(values), dtype=bool)
    return np.asarray(0.6745 * distance / spread > _OUTLYING, dtype=np.bool_)


def _bca(
    samples: list[Floats], statistic: Callable[[list[Floats]], Floats], reach: float, draw: Callable[[], Floats]
) -> Interval:
    """The interval of a function of the medians of paired samples, so many standard deviations to either side.

    `draw` gives the function of many resamples.
    """
    from scipy.special import ndtr, ndtri

    n = len(samples[0])
    if n < LEAST_BLOCKS:
        return Interval(None, None, f"{n} blocks: an interval needs at least {LEAST_BLOCKS}")
    estimate = float(statistic([np.median(sample, keepdims=True) for sample in samples])[0])
    drawn = draw()
    left_out = statistic([_medians_without_each(sample) for sample in samples])
    if not (np.isfinite(drawn).all() and np.isfinite(left_out).all()):
        return Interval(None, None, "the baseline's median may as well be 0")
    if np.ptp(drawn) == 0:
        return Interval(estimate, estimate)
    # bias: where the estimate stands among the drawn ones; those equal to it count half
    share = (np.mean(drawn < estimate) + np.mean(drawn <= estimate)) / 2
    bias = ndtri(np.clip(share, 1 / len(drawn), 1 - 1 / len(drawn)))
    deviation = left_out.mean() - left_out
    scale = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * scale) if scale else 0.0
    tails = np.array([-reach, reach])
    levels = np.asarray(ndtr(bias + (bias + tails) / (1 - acceleration * (bias + tails))))
    low, high = _quantiles(drawn, levels)
    return Interval(float(low), float(high))


def _quantiles(drawn: Floats, levels: Floats) -> Floats:
    """Quantiles of the mid-distribution: medians of few blocks take few distinct values.

    Plain quantiles would jump from one of them to the next, and the interval of 13 blocks would cover only 91 %. (Ma,
    Genton and Parzen, "Asymptotic properties of sample quantiles of discrete distributions", AISM 63 (2011).)
    """
    found, counts = np.unique(drawn, return_counts=True)
    return np.interp(levels, (np.cumsum(counts) - counts / 2) / len(drawn), found)


def _medians_drawn(sample: Floats, rng: np.random.Generator) -> Floats:
    """Medians of samples drawn with replacement, without drawing them: exact, and a hundred times as fast.

    To draw n of n values is to take the values of ranks floor(n U) for n uniform U. The k-th smallest U has the
    distribution Beta(k, n - k + 1), and given that, the smallest of the n - k above it is uniform's minimum beyond it
    (David and Nagaraja, "Order Statistics" (2003), sections 2.1 and 2.5).
    """
    n = len(sample)
    ranked = np.sort(sample)
    k = (n + 1) // 2
    low = rng.beta(k, n - k + 1, _RESAMPLES)
    middle = ranked[(n * low).astype(np.intp)]
    if n % 2:
        return middle
    high = low + (1 - low) * rng.beta(1, n - k, _RESAMPLES)
    return (middle + ranked[(n * high).astype(np.intp)]) / 2


def _draw(samples: list[Floats], statistic: Callable[[list[Floats]], Floats], rng: np.random.Generator) -> Floats:
    """The statistic of samples drawn with replacement, the same blocks from each."""
    n = len(samples[0])
    ranked = [_ranked(sample) for sample in samples]
    batches = []
    left = _resamples(n)
    while left:
        size = min(left, max(1, _BATCH // n))
        chosen = rng.integers(0, n, (size, n), dtype=np.int32)
        batches.append(statistic([_medians(sample, ranks[chosen]) for sample, ranks in ranked]))
        left -= size
    return np.concatenate(batches)


def _ranked(values: Floats) -> tuple[Floats, NDArray[Any]]:
    """The values in order, and the rank of each."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values), dtype=np.uint16 if len(values) <= 1 << 16 else np.uint32)
    ranks[order] = np.arange(len(values))
    return values[order], ranks


def _medians(ranked: Floats, rows: NDArray[Any]) -> Floats:
    """The median of each row of ranks. Numbers of 16 bits are sorted ten times as fast as the values themselves."""
    rows = np.sort(rows, axis=1)
    n = rows.shape[1]
    return np.asarray((ranked[rows[:, (n - 1) // 2]] + ranked[rows[:, n // 2]]) / 2)


def _resamples(n: int) -> int:
    return min(_RESAMPLES, max(_LEAST_RESAMPLES, _DRAWS // n))


def _medians_without_each(values: Floats) -> Floats:
    """The median of all values but one, for each: by rank, without n sortings."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    ranks = np.arange(n)
    low, high = (n - 2) // 2, (n - 1) // 2  # ranks of the middle ones among n - 1 values
    found = np.empty(n)
    found[order] = (ranked[low + (ranks <= low)] + ranked[high + (ranks <= high)]) / 2
    return found
