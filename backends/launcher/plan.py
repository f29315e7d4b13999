"""A plan: every step of a start, phase by phase, which can be read before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from isoscope.backends.launcher.process import Clone, Execute, OpenTerminal, StandardStreams
from isoscope.backends.launcher.step import Step
from isoscope.backends.launcher.terminal import window_size
from isoscope.core import backend
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio


@dataclass(frozen=True)
class Command:
    """A command, and what it is connected to."""

    words: tuple[str, ...]
    stdio: Stdio
    terminal: bool

    @classmethod
    def of(cls, launch: Launch) -> Self:
        """The workload's own."""
        return cls(launch.workload.command, launch.stdio, launch.workload.terminal)

    def streams(self, *, console: bool) -> Step:
        """How it gets its standard streams; `console` shows its terminal as /dev/console, too."""
        return OpenTerminal(*window_size(self.stdio), console=console) if self.terminal else StandardStreams()

    def execute(self, launch: Launch) -> Step:
        """How it is run."""
        terminal = {"TERM": "xterm"} if self.terminal else {}
        return Execute(self.words, {**terminal, **launch.environment()})


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
