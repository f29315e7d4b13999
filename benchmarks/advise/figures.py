"""What one candidate costs in one respect, and where the figure comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any


class Basis(StrEnum):
    """How far a figure can be relied on here."""

    BASELINE = "baseline"  #: a plain process, to which the others are compared
    MEASURED = "measured"  #: on this host
    PUBLISHED = "published"  #: by others, on theirs


@dataclass(frozen=True)
class Cost:
    """A respect in which isolation costs something."""

    name: str
    of: str  #: absolute, slowdown, or worst: the greatest of several
    benchmark: str
    metric: str
    unit: str = "1"
    weight: str = ""  #: the field of the profile that says how much of its time it takes
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A value with its interval, and what it rests on."""

    cost: str
    value: float
    low: float | None
    high: float | None
    unit: str
    basis: Basis
    source: str  #: the run's folder, or a citation
    detail: str  #: blocks and workload of a run; where in a study, and how far it can be trusted
    #: Whether a verdict may rest on it: not on what is second-hand, nor on an absolute value of another's host.
    decides: bool = True
    citation: str = ""  #: in full, of a published one

    @property
    def least(self) -> float:
        """The lower end of the interval, or the value itself where there is none."""
        return self.value if self.low is None else self.low

    @property
    def most(self) -> float:
        """The upper end of the interval, or the value itself where there is none."""
        return self.value if self.high is None else self.high

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@cache
def costs() -> dict[str, Cost]:
    """The costs by name."""
    data = tomllib.loads((files("isoscope.benchmarks.advise") / "costs.toml").read_text(encoding="utf-8"))
    return {entry["name"]: Cost(**entry) for entry in data["cost"]}
