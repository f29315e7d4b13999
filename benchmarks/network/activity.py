"""What the host does between two moments of a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isoscope.benchmarks.network.cpu import Sample, Usage
from isoscope.benchmarks.network.events import Events, Rates
from isoscope.core.instance import Instance


@dataclass(frozen=True)
class Activity:
    """Of its processors and its kernel."""

    usage: Usage
    rates: Rates


@dataclass(frozen=True)
class Moment:
    """Readings of all counters."""

    sample: Sample
    events: Events

    @classmethod
    def take(cls, ends: Sequence[Instance]) -> Moment:
        """Read them now."""
        return cls(Sample.take(ends), Events.read(ends))

    def until(self, later: Moment) -> Activity:
        """What was done from this moment to a later one."""
        return Activity(self.sample.until(later.sample), self.events.until(later.events))
