"""What a metric is: a quantity with a unit, a direction and a definition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Direction(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True)
class Metric:
    """A quantity that benchmarks report. Units: `ns`, `B`, `B/s`, `1/s`, `1`."""

    name: str
    unit: str
    direction: Direction
    definition: str  #: one sentence, from where to where or of what

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(data["name"], data["unit"], Direction(data["direction"]), data["definition"])
