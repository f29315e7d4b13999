"""The requirements that exclude: rules as data, and what each says of each candidate."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from isoscope.benchmarks.advise.candidates import Candidate
from isoscope.benchmarks.advise.subject import Subject
from isoscope.core.errors import Unsupported
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload


@dataclass(frozen=True)
class Rule:
    """A demand, the traits that do not meet it, and who says so."""

    name: str
    when: Mapping[str, Sequence[Any]]  #: fields, each with the values for which the rule holds
    bars: Mapping[str, Sequence[Any]]  #: traits, each with the values that do not meet it
    why: str
    source: str
    beyond: str = ""  #: what Isoscope itself does not do of it

    def fires(self, subject: Subject) -> bool:
        """Whether the workload demands it."""
        return all(subject[name] in values for name, values in self.when.items())

    def excludes(self, one: Candidate) -> bool:
        """Whether the candidate cannot meet it. A trait that nobody knows is not relied on."""
        return any(one.traits.get(trait) in (None, *values) for trait, values in self.bars.items())


@dataclass(frozen=True)
class Exclusion:
    """Why a candidate is out."""

    rule: str
    why: str
    source: str


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that ship."""
    data = tomllib.loads((files("isoscope.benchmarks.advise") / "requirements.toml").read_text(encoding="utf-8"))
    return tuple(Rule(**entry) for entry in data["rule"])


def exclusions(one: Candidate, fired: Iterable[Rule]) -> list[Exclusion]:
    """Every demand that a candidate does not meet."""
    return [Exclusion(rule.name, rule.why, rule.source) for rule in fired if rule.excludes(one)]


def undeclared(workload: Workload, one: Candidate) -> list[Exclusion]:
    """What the workload's own terms ask for, and the backend declares that it cannot do."""
    variant = Variant.parse(one.variant)
    try:
        one.capabilities.check(variant.backend, workload.with_overrides(variant.options))
    except Unsupported as error:
        return [Exclusion("what the workload's own terms ask for", error.message, "isoscope backends")]
    return []
