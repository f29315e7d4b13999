"""Published comparisons repeated here: recipes, the rule by which a shape is the same, and what is written of it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Kind, Match, Needs, Plan, Recipe, Setting, System

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.carry_out import reproduce
    from isoscope.benchmarks.reproduce.listing import repeatable

#: Loaded when first used: the command line must start without it.
_LATER = {"repeatable": "listing", "reproduce": "carry_out"}

__all__ = [
    "SAME_SYSTEM",
    "Here",
    "Kind",
    "Match",
    "Needs",
    "Plan",
    "Recipe",
    "Setting",
    "System",
    "repeatable",
    "reproduce",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
