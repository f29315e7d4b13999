"""Two jobs measured turn by turn: ours, and a yardstick that tells how fast the machine is at this moment."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

#: The share of rounds, from the fastest on, that a job is judged by. Whatever else happens on a host only ever adds
#: time, and in bursts: the fast rounds are those that it missed. The fastest of all would be a matter of luck.
QUANTILE = 0.25


@dataclass
class Rounds:
    """What both jobs took, in ns, a value of each for each round."""

    ours: list[float] = field(default_factory=list)
    yardstick: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times as long as the yardstick ours takes when both are left alone."""
        return typical(self.ours) / typical(self.yardstick)

    @property
    def spread(self) -> float:
        """How little the yardstick was left alone: its median over its lower quartile, less 1; 0 on a host at rest."""
        return statistics.median(self.yardstick) / typical(self.yardstick) - 1


def typical(values: Sequence[float]) -> float:
    """The lower quartile, linear between ranks. Raises ValueError when there are no values."""
    if not values:
        raise ValueError("nothing was measured")
    ranked = sorted(values)
    place = (len(ranked) - 1) * QUANTILE
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)
