"""Published comparisons repeated here: recipes, the rule by which a shape is the same, and what is written of it."""

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Kind, Match, Needs, Plan, Recipe, Setting, System

__all__ = ["SAME_SYSTEM", "Here", "Kind", "Match", "Needs", "Plan", "Recipe", "Setting", "System"]
