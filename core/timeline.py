"""Named moments of one instance on the host's monotonic clock, in integer nanoseconds (clock_gettime(2))."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic_ns
from types import MappingProxyType

from isoscope.core.display import Displayed


class Timeline(Displayed):
    """The moments of one instance: `start`, then the end of each phase, then `exit` and `deleted`.

    The phases partition the span from `start` to `ready`: each lasts from the moment before it to its own.
    """

    def __init__(self, phases: tuple[str, ...]) -> None:
        self._phases = phases
        self._moments: dict[str, int] = {}

    def mark(self, moment: str, at_ns: int | None = None) -> int:
        """Record that `moment` happened, now or at `at_ns`; the first record of a moment stands."""
        return self._moments.setdefault(moment, monotonic_ns() if at_ns is None else at_ns)

    @property
    def moments(self) -> Mapping[str, int]:
        """Moments to nanoseconds on the monotonic clock."""
        return MappingProxyType(self._moments)

    def span(self, first: str, last: str) -> int | None:
        """Nanoseconds between two moments, or None when one of them has not happened."""
        if first not in self._moments or last not in self._moments:
            return None
        return self._moments[last] - self._moments[first]

    def phases(self) -> dict[str, int]:
        """Nanoseconds of each phase in order; their sum is `span("start", "ready")`.

        A phase whose end was not seen counts into the next one that was. Empty before the instance is ready.
        """
        if self.span("start", "ready") is None:
            return {}
        spans, before = {}, self._moments["start"]
        for phase in self._phases:
            if (end := self._moments.get(phase)) is not None:
                spans[phase] = end - before
                before = end
        return spans

    def pending(self) -> str:
        """The phase that lasts: the one behind the last whose end was seen. Empty before the start, and when ready."""
        if "start" not in self._moments or "ready" in self._moments:
            return ""
        ended = [place for place, phase in enumerate(self._phases, 1) if phase in self._moments]
        return "".join(self._phases[max(ended, default=0) :][:1])

    def __repr__(self) -> str:
        start = self._moments.get("start", 0)
        return f"Timeline({', '.join(f'{name}=+{at - start}ns' for name, at in self._moments.items())})"
