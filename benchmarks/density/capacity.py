"""How many instances fit: what is free of each limit over what one more takes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression

from isoscope.benchmarks.density.limits import Usage

#: A slope so small against the limit that it is noise: it would let a thousand million instances fit.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Capacity:
    """How many instances fit, and the limit that says so; None when none of the known ones would ever be reached."""

    fits: int | None
    binding: str


def slope(counts: Sequence[float], values: Sequence[float]) -> float:
    """What one more adds: the slope of the least-squares line through the values at each count.

    Raises ValueError for less than two different counts.
    """
    if len(set(counts)) < 2:
        raise ValueError("a slope needs two different counts")
    return linear_regression(counts, values).slope


def capacity(before: Mapping[str, Usage], each: Mapping[str, float]) -> Capacity:
    """How many instances use a limit up first, given what is used without any and what one more takes of it."""
    room = {
        name: (usage.most - usage.used) / each[name]
        for name, usage in before.items()
        if each.get(name, 0) > _NOTHING * usage.most
    }
    if not room:
        return Capacity(None, "none that is known")
    binding = min(room, key=lambda name: room[name])
    return Capacity(max(0, int(room[binding])), binding)
