"""Published comparisons repeated here: recipes, the rule by which a shape is the same, and what is written of it."""

from typing import TYPE_CHECKING

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Kind, Match, Needs, Plan, Recipe, Setting, System
from isoscope.core.later import later

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.carry_out import reproduce
    from isoscope.benchmarks.reproduce.listing import repeatable

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

#: The command line must start without them.
__getattr__ = later(__name__, {"repeatable": "listing", "reproduce": "carry_out"})
