"""Our side of a row: the values of a series by block, a statistic of them, and the ratio of two with its interval."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.harness.extent import LEAST_BLOCKS
from isoscope.benchmarks.reproduce.recipe import Match
from isoscope.benchmarks.reproduce.result import Measured
from isoscope.benchmarks.results.statistics import Floats, Interval, median_interval, ratio_interval

if TYPE_CHECKING:
    import numpy.typing as npt
    from isoscope.benchmarks.results.run import Run

#: Resamples of statistics other than the median, which have no quick way.
_RESAMPLES = 1999

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Values:
    """The values of one variant that a match is about, by block."""

    def __init__(self, run: Run, match: Match, variant: str) -> None:
        frame = run.trials
        rows = frame[
            (frame["benchmark"] == match.benchmark)
            & (frame["metric"] == match.ours)
            & (frame["variant"] == variant)
            & ~frame["warmup"]
        ]
        fit = [all(labels.get(key) == value for key, value in match.labels.items()) for labels in rows["labels"]]
        good = rows[np.asarray(fit, dtype=bool) & (rows["status"] == "ok").to_numpy()]
        self.blocks: dict[int, Floats] = {
            int(str(block)): group["value"].to_numpy(dtype=np.float64) for block, group in good.groupby("block")
        }
        self.accelerators = sorted(set(good["accelerator"]))
        bad = rows.loc[rows["status"] != "ok", "reason"].dropna()
        self.reason = str(bad.iloc[0]).partition("\n")[0] if len(bad) else "no trial of it has been made"

    def whole(self) -> Floats:
        """All values."""
        return np.concatenate(list(self.blocks.values()))


def measured(values: Values, match: Match, seed: int) -> Measured | None:
    """The statistic in the study's unit; None where there is no value."""
    if not values.blocks:
        return None
    if match.statistic == "p50":
        medians = np.asarray([np.median(block) for block in values.blocks.values()])
        interval = median_interval(medians, _rng(seed, match, "value"))
    else:
        interval = _resampled([values.blocks], match, _rng(seed, match, "value"))
    value = statistic(values.whole(), match.statistic)
    return Measured(value * match.factor, _scaled(interval, match.factor), len(values.blocks))


def ratio(ours: Values, baseline: Values, match: Match, seed: int, *, other: Match | None = None) -> Measured | None:
    """Our statistic over the baseline's, in the blocks that have both; None where there is none, or it says nothing.

    The two are of the same statistic; `other` is the baseline's match where it is of another workload.
    """
    both = sorted(ours.blocks.keys() & baseline.blocks.keys())
    if not both:
        return None
    pairs = [{block: side.blocks[block] for block in both} for side in (ours, baseline)]
    tops = [statistic(np.concatenate(list(side.values())), match.statistic) for side in pairs]
    if match.statistic == "p50":
        medians = [np.asarray([np.median(values) for values in side.values()]) for side in pairs]
        tops = [float(np.median(side)) for side in medians]
    if min(tops) <= 0:
        return None
    rng = _rng(seed, match, "ratio")
    interval = (
        ratio_interval(medians[0], medians[1], rng) if match.statistic == "p50" else _resampled(pairs, match, rng)
    )
    scale = match.factor / (other or match).factor
    return Measured(tops[0] / tops[1] * scale, _scaled(interval, scale), len(both))


def statistic(values: Floats, name: str) -> float:
    """`mean`, or a percentile of type 7."""
    return float(values.mean() if name == "mean" else np.quantile(values, _QUANTILES[name]))


def _resampled(sides: list[dict[int, Floats]], match: Match, rng: np.random.Generator) -> Interval:
    """Percentile bootstrap over whole blocks, the same ones of each side."""
    blocks = list(sides[0])
    if len(blocks) < LEAST_BLOCKS:
        return Interval(None, None, f"{len(blocks)} blocks: an interval needs at least {LEAST_BLOCKS}")
    quantile = _QUANTILES.get(match.statistic)
    least = min(sum(len(values) for values in side.values()) for side in sides)
    if quantile is not None and least * (1 - quantile) < 1:
        return Interval(None, None, f"the {match.statistic} of {least} values is little else than their greatest")
    drawn = rng.integers(0, len(blocks), (_RESAMPLES, len(blocks)))
    tops = [_redrawn([side[block] for block in blocks], drawn, match.statistic) for side in sides]
    found = tops[0] / tops[1] if len(tops) > 1 else tops[0]
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(float(low), float(high))


def _redrawn(blocks: list[Floats], drawn: npt.NDArray[np.int64], name: str) -> Floats:
    """The statistic of each draw of whole blocks, all draws at once where blocks are of one size."""
    if name == "mean":
        sums, sizes = (
            np.asarray([measure(block) for block in blocks], dtype=np.float64) for measure in (np.sum, np.size)
        )
        return np.asarray(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), dtype=np.float64)
    if len({len(block) for block in blocks}) == 1:
        values = np.stack(blocks)[drawn].reshape(len(drawn), -1)
        return np.asarray(np.quantile(values, _QUANTILES[name], axis=1), dtype=np.float64)
    return np.asarray([statistic(np.concatenate([blocks[place] for place in row]), name) for row in drawn])


def _scaled(interval: Interval, factor: float) -> Interval:
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.low * factor, interval.high * factor)


def _rng(seed: int, match: Match, what: str) -> np.random.Generator:
    """The same figures from the same trials, whichever other rows there are."""
    name = f"{match.benchmark}/{match.ours}/{match.workload}/{match.metric}/{what}"
    return np.random.default_rng([seed, int.from_bytes(sha256(name.encode()).digest()[:8], "big")])
