"""Capacity on paper: how many instances a host or a fleet would take, extrapolated from what was measured."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoscope.benchmarks.capacity.plan import plan_capacity

__all__ = ["plan_capacity"]


def __getattr__(name: str) -> Any:
    """Loaded when first used: the command line must start without it."""
    if name != "plan_capacity":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isoscope.benchmarks.capacity.plan import plan_capacity

    return plan_capacity
