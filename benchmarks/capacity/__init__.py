"""Capacity on paper: how many instances a host or a fleet would take, extrapolated from what was measured."""

from typing import TYPE_CHECKING

from isoscope.core.later import later

if TYPE_CHECKING:
    from isoscope.benchmarks.capacity.plan import plan_capacity

__all__ = ["plan_capacity"]

#: The command line must start without it.
__getattr__ = later(__name__, {"plan_capacity": "plan"})
