"""What a reproduction was asked for, as it stands in the manifest of its run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from isoscope.benchmarks.reproduce.recipe import Plan
from isoscope.core.errors import InputError

if TYPE_CHECKING:
    from isoscope.benchmarks.harness.terms import Terms
    from isoscope.benchmarks.results.run import Run


@dataclass(frozen=True)
class Asked:
    """A recipe, its plan on the host, and what of it could not be had there."""

    recipe: str  #: STUDY/ITEM
    plan: Plan
    quick: bool
    unavailable: Mapping[str, str] = field(default_factory=dict)  #: variants, and why

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "recipe": self.recipe,
            "plan": self.plan.as_dict(),
            "quick": self.quick,
            "unavailable": dict(self.unavailable),
        }

    @classmethod
    def of(cls, run: Run) -> Self:
        """That of a run. Raises InputError for a run that repeats no study."""
        data = run.terms.reproduction
        if not data:
            raise InputError(
                f"the run in {run.directory} repeats no study",
                hint="isoscope reproduce --list shows what can be repeated",
            )
        try:
            return cls(data["recipe"], Plan.from_dict(data["plan"]), bool(data["quick"]), data["unavailable"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the run's manifest is malformed: {error!r}", hint="restore manifest.json") from error

    def command(self, terms: Terms) -> str:
        """The command that asks for the same again, seed and all."""
        words = ["isoscope", "reproduce", self.recipe]
        words += ["--quick"] if self.quick else ["-n", str(terms.blocks)]
        return f"{shlex.join(words)} --seed {terms.seed}"
