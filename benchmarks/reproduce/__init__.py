"""Published comparisons repeated here: recipes, the rule by which a shape is the same, and what is written of it."""

from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Kind, Match, Needs, Plan, Recipe, Setting, System

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.carry_out import reproduce

__all__ = ["SAME_SYSTEM", "Here", "Kind", "Match", "Needs", "Plan", "Recipe", "Setting", "System", "reproduce"]


def __getattr__(name: str) -> Any:
    """Loaded when first used: the command line must start without it."""
    if name != "reproduce":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isoscope.benchmarks.reproduce.carry_out import reproduce

    return reproduce
