"""The rule by which a published ratio and ours have the same shape. docs/explanation/reproducing.md argues for it.

Nothing in here knows of a study, and all of it was written before anything was measured.

Sources: Schuirmann, "A comparison of the two one-sided tests procedure", J. Pharmacokinetics and Biopharmaceutics 15
(1987), for the interval inside a band; Berger, "Multiparameter hypothesis testing", Technometrics 24 (1982), for why a
claim about all rows needs no correction and a claim about any row does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, log

from isoscope.benchmarks.reproduce.recipe import Kind
from isoscope.benchmarks.results.statistics import CONFIDENCE, Interval

#: A ratio nearer to 1 than this is none.
SMALLEST = 0.05

#: Share of a published effect, on the log scale, by which ours may be greater or smaller.
SHARE = 0.5

#: Factor by which it may differ at most, however large the effect.
GREATEST = 3.0


class Verdict(StrEnum):
    """What a reproduction says."""

    SAME = "same shape"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Band:
    """Ratios that have the shape of the published one."""

    low: float
    high: float

    def holds(self, ratio: float) -> bool:
        """Whether a ratio lies in it."""
        return self.low <= ratio <= self.high


@dataclass(frozen=True)
class Decision:
    """A verdict on one row and the reason for it."""

    verdict: Verdict
    reason: str
    able: bool  #: it could be compared: whatever it says, or leaves open, counts


def band(published: float, kind: Kind = Kind.SIZE, deviation: float = 0.0) -> Band:
    """The band of a published ratio; `deviation` is the relative standard deviation of that ratio in the study.

    It is as wide as half the effect to either side on the log scale: an effect of which half is left, or half as much
    again, has the same shape, and never the opposite one. It is at least 5 % wide to either side and at least two
    deviations, for the study itself tells no less apart; and at most a factor of 3.
    """
    effect = log(published)
    least = max(log(1 + SMALLEST), 2 * deviation)
    if kind is Kind.DIRECTION and abs(effect) > least:
        return Band(1.0, inf) if effect > 0 else Band(0.0, 1.0)
    reach = min(max(SHARE * abs(effect), least), log(GREATEST))
    return Band(exp(effect - reach), exp(effect + reach))


def directed(published: float | None) -> bool:
    """Whether a published ratio is far enough from 1 to have a direction."""
    return published is not None and published > 0 and abs(log(published)) > log(1 + SMALLEST)


def gains(published: float, *, higher_is_better: bool) -> bool:
    """Whether the published ratio is better than its baseline by more than the smallest that counts."""
    return log(published) * (1 if higher_is_better else -1) > log(1 + SMALLEST)


def decide(ratio: float, interval: Interval, band: Band, *, blocks: int, rows: int) -> Decision:
    """The verdict on one of so many rows that could be compared; our ratio and its interval are of so many blocks.

    The same shape: the 95 % interval lies in the band. Different: it lies outside, also when it is as wide as it must
    be for all rows together. Anything else leaves it open.
    """
    if interval.low is None or interval.high is None:
        return Decision(Verdict.NOT_COMPARABLE, f"no interval: {interval.reason}", able=True)
    if band.holds(interval.low) and band.holds(interval.high):
        return Decision(Verdict.SAME, "", able=True)
    wide = simultaneous(ratio, interval, blocks=blocks, rows=rows)
    assert wide.low is not None
    assert wide.high is not None
    if wide.high < band.low or wide.low > band.high:
        return Decision(Verdict.DIFFERENT, "our interval lies outside the band, also for all rows together", able=True)
    inside = "inside" if band.holds(ratio) else "outside"
    return Decision(
        Verdict.NOT_COMPARABLE,
        f"left open: our ratio lies {inside} the band, and its interval crosses an edge",
        able=True,
    )


def simultaneous(ratio: float, interval: Interval, *, blocks: int, rows: int) -> Interval:
    """The interval stretched, on the log scale, so that those of all rows hold together (Bonferroni, Student's t)."""
    from scipy.special import stdtrit

    if not interval.low or interval.high is None or rows < 2:
        return interval
    freedom, alpha = max(1, blocks - 1), 1 - CONFIDENCE
    factor = float(stdtrit(freedom, 1 - alpha / 2 / rows) / stdtrit(freedom, 1 - alpha / 2))
    return Interval(
        exp(log(ratio) - factor * (log(ratio) - log(interval.low))),
        exp(log(ratio) + factor * (log(interval.high) - log(ratio))),
    )


def disturbed(ratio: float, interval: Interval, band: Band, *, blocks: int, rows: int) -> str:
    """Why a row cannot be judged, by what its baseline showed against itself; or nothing.

    Two identical series must not differ by more than half the band's width, nor by more than chance explains.
    """
    times = f"by a factor of {max(ratio, 1 / ratio):.3g}"
    room = (log(band.high) - log(band.low)) / 2 if band.low > 0 and band.high < inf else log(GREATEST)
    if abs(log(ratio)) > room:
        return f"noise: the baseline differs from itself {times}, more than the band is wide"
    wide = simultaneous(ratio, interval, blocks=blocks, rows=rows)
    if wide.low is not None and wide.high is not None and not wide.low <= 1 <= wide.high:
        return f"noise: the baseline differs from itself {times}, more than chance explains"
    return ""


def overall(decisions: Sequence[Decision]) -> Verdict:
    """The verdict on an item: different when any row is; the same when more than half of the able ones are."""
    able = [one for one in decisions if one.able]
    if any(one.verdict is Verdict.DIFFERENT for one in able):
        return Verdict.DIFFERENT
    same = sum(one.verdict is Verdict.SAME for one in able)
    return Verdict.SAME if able and 2 * same > len(able) else Verdict.NOT_COMPARABLE
