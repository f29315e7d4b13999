"""A plan: every step of a start, phase by phase, which can be read before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoscope.backends.launcher.process import Clone
from isoscope.backends.launcher.step import Step
from isoscope.core import backend


@dataclass(frozen=True)
class Plan:
    """Phases in order, each with its steps."""

    ours: Sequence[tuple[str, Sequence[Step]]]  #: what we do ourselves, before
    clone: Clone  #: what the launcher does
    theirs: Sequence[tuple[str, Sequence[Step]]]  #: what the new process does; begins with the phase of the clone

    def steps(self) -> list[backend.Step]:
        """The plan for reading."""
        (first, _), *_ = self.theirs
        phases = [*self.ours, (first, [self.clone]), *self.theirs]
        return [backend.Step(phase, step.describe()) for phase, steps in phases for step in steps]
