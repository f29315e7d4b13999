"""What one more instance takes of each limit, from the ramps of a run, and whether a line tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from statistics import linear_regression, median
from typing import Any

from isoscope.benchmarks.density import limits
from isoscope.core.errors import InputError

#: Confidence of intervals.
_CONFIDENCE = 0.95

#: How far a point may lie off the line, over the rise of the line from its first point to its last. Beyond, what one
#: more takes is not the same all along, and a line says nothing of what comes after it.
MOST_DEVIATION = 0.2

#: Steps of a ramp that a line needs: two are always on one.
LEAST_LOOKS = 3

#: Share of a limit below which what all instances of a ramp take of it is noise, as in `density`.
_NOISE = {limits.CPU: 0.01}

AVAILABLE, PSS = "MemAvailable", "Pss"


@dataclass(frozen=True)
class Estimate:
    """A median over the blocks. Of six or more the interval is one of 95 %; of fewer the least and the greatest."""

    value: float
    low: float
    high: float
    blocks: int

    @property
    def confident(self) -> bool:
        """Whether the interval is one of 95 %."""
        return _rank(self.blocks) is not None


@dataclass(frozen=True)
class Fit:
    """A limit: what one more instance takes of it, and what was used without any."""

    limit: str
    by: str  #: what tells it: the limit's own use, or Pss
    each: Estimate
    base: float
    most: float  #: on the host of the run
    deviation: float  #: of the median block; see MOST_DEVIATION

    @property
    def holds(self) -> bool:
        """Whether the points lie on a line."""
        return self.deviation <= MOST_DEVIATION

    @property
    def takes(self) -> bool:
        """Whether an instance takes anything of it that can be told from nothing."""
        return self.each.low > 0


def estimate(values: Sequence[float]) -> Estimate:
    """The median of block values with its distribution-free interval: between two of them, by rank.

    The number of values below the median has the distribution Binomial(n, 1/2), whatever theirs is (David and Nagaraja,
    "Order Statistics" (2003), section 7.1): of 6 values, the least and the greatest enclose it with 96.9 %.
    """
    ranked = sorted(values)
    rank = _rank(len(ranked)) or 0
    return Estimate(median(ranked), ranked[rank], ranked[-1 - rank], len(ranked))


def _rank(n: int) -> int | None:
    """The greatest rank, from 0, at which the values at it and at its mirror enclose the median with 95 %; or None."""
    found = None
    for rank in range(n // 2):
        outside = 2 * sum(comb(n, k) for k in range(rank + 1)) / 2**n
        if 1 - outside >= _CONFIDENCE:
            found = rank
    return found


def fits(ramps: Sequence[Mapping[str, Any]]) -> dict[str, Fit]:
    """The fit of every limit that all ramps know. Raises InputError when they are too short for any."""
    looks = [ramp["looks"] for ramp in ramps]
    if any(len(each) - 1 < LEAST_LOOKS for each in looks):
        raise InputError("the ramp is too short for a line", hint="measure one of more steps: -m density:upto=50")
    names = set.intersection(*(set(look["usage"]) for ramp in looks for look in ramp[1:]))
    found = {name: _fit(name, name, looks) for name in sorted(names)}
    if limits.MEMORY in found:
        found[limits.MEMORY] = _memory(found[limits.MEMORY], looks)
    return {name: fit for name, fit in found.items() if not _is_noise(fit, looks)}


def _memory(available: Fit, looks: Sequence[Sequence[Mapping[str, Any]]]) -> Fit:
    """The dearer of what the host lost and what the processes hold. Others may free memory meanwhile, or take it."""
    known = [Fit(**{**vars(available), "by": AVAILABLE})]
    if all(look["pss"] is not None for ramp in looks for look in ramp[1:]):
        known.append(_fit(limits.MEMORY, PSS, looks))
    good = [fit for fit in known if fit.holds and fit.takes]
    return max(good or known, key=lambda fit: fit.each.value)


def _fit(limit: str, by: str, looks: Sequence[Sequence[Mapping[str, Any]]]) -> Fit:
    lines = [line([(look["instances"], _used(look, limit, by)) for look in ramp[1:]]) for ramp in looks]
    first = looks[-1][0]
    usage = looks[-1][-1]["usage"][limit]
    base = first["usage"][limit]["used"] if limit in first["usage"] else median(start for _, start, _ in lines)
    each = estimate([slope for slope, _, _ in lines])
    return Fit(limit, by, each, float(base), float(usage["most"]), median(off for _, _, off in lines))


def _used(look: Mapping[str, Any], limit: str, by: str) -> float:
    return float(look["pss"] if by == PSS else look["usage"][limit]["used"])


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope and beginning of the line through the points, and how far off it the farthest lies, over its rise."""
    xs, ys = zip(*points, strict=True)
    found = linear_regression(xs, ys)
    off = max(abs(y - found.intercept - found.slope * x) for x, y in points)
    rise = abs(found.slope) * (max(xs) - min(xs))
    return found.slope, found.intercept, off / rise if rise else (0.0 if off == 0 else float("inf"))


def _is_noise(fit: Fit, looks: Sequence[Sequence[Mapping[str, Any]]]) -> bool:
    least = _NOISE.get(fit.limit)
    return least is not None and all(ramp[-1]["usage"][fit.limit]["used"] < least * fit.most for ramp in looks)
