"""From the looks of one ramp to what one more instance takes, and how many would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isoscope.benchmarks.density import limits
from isoscope.benchmarks.density.capacity import Capacity, capacity, slope
from isoscope.benchmarks.density.look import Look
from isoscope.benchmarks.density.options import Floor

_TOO_FEW = "a slope needs two steps of the ramp"

#: Share of the host's CPUs below which what the instances take of them is noise.
_CPU_NOISE = 0.01


class Estimate:
    """One ramp's estimates. The line goes through the steps; where there is but one, through the beginning and that."""

    def __init__(self, before: Look, looks: Sequence[Look], floor: Floor) -> None:
        self._before, self._floor = before, floor
        self._looks = looks if len(looks) > 1 else [before, *looks]

    def marginal_memory(self) -> tuple[float | None, str]:
        """Bytes of MemAvailable that one more instance takes, or why that cannot be told."""
        return self._slope([-look.available for look in self._looks])

    def marginal_pss(self) -> tuple[float | None, str]:
        """Bytes of Pss that one more instance adds, or why that cannot be told."""
        values = [look.pss for look in self._looks if look.pss is not None]
        if len(values) < len(self._looks):
            return None, next(look.missing for look in self._looks if look.pss is None)
        return self._slope(values)

    def capacity(self, host: int | None) -> Capacity | None:
        """How many fit this host as it was before the ramp, or one with so many bytes of memory; None when unknown.

        Of another host only the memory is known: its other limits are taken to be this one's, and so is what it uses
        without any instance.
        """
        if len(self._looks) < 2:
            return None
        before = dict(self._before.usage)
        if host is not None:
            before[limits.MEMORY] = replace(before[limits.MEMORY], most=host - self._floor.of(host))
        return capacity(before, self._each())

    def _each(self) -> dict[str, float]:
        """What one more instance takes of each limit."""
        counts = [look.instances for look in self._looks]
        names = set.intersection(*(set(look.usage) for look in self._looks))
        each = {name: slope(counts, [look.usage[name].used for look in self._looks]) for name in names}
        last = self._looks[-1].usage
        if limits.CPU in each and last[limits.CPU].used < _CPU_NOISE * last[limits.CPU].most:
            del each[limits.CPU]
        # Others may free memory meanwhile; what the instances' own processes hold is needed in any case.
        each[limits.MEMORY] = max(each[limits.MEMORY], self.marginal_pss()[0] or 0)
        return each

    def _slope(self, values: Sequence[float]) -> tuple[float | None, str]:
        if len(self._looks) < 2:
            return None, _TOO_FEW
        return slope([look.instances for look in self._looks], values), ""
