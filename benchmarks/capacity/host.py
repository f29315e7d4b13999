"""The host that a plan is for: `cpus=64,memory=512G`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isoscope.benchmarks.density import limits
from isoscope.benchmarks.request import count
from isoscope.benchmarks.results.past import PastRun
from isoscope.core.errors import InputError
from isoscope.core.units import parse_size
from isoscope.core.workload_file import meant

#: What may be told of a host, by the name of its limit in `density`.
_KEYS = {
    "cpus": limits.CPU,
    "memory": limits.MEMORY,
    "pids": limits.PIDS,
    "descriptors": limits.DESCRIPTORS,
    "mounts": limits.MOUNTS,
    "links": limits.LINKS,
}

#: Share of a host's memory that stays free, as the memory floor of `density` by default.
FLOOR = 0.1


@dataclass(frozen=True)
class PlannedHost:
    """Its limits, as far as they are told; the others are taken to be those of the host that was measured."""

    told: Mapping[str, int]

    @classmethod
    def parse(cls, text: str) -> PlannedHost:
        """Read `cpus=64,memory=512G`, and perhaps pids, descriptors, mounts and links. Raises InputError."""
        told: dict[str, int] = {}
        for pair in text.split(","):
            key, equals, value = pair.strip().partition("=")
            if key not in _KEYS or not equals:
                raise InputError(
                    f"{pair!r} says nothing of a host", hint=f"write cpus=64,memory=512G; {meant(key, _KEYS)}"
                )
            if _KEYS[key] in told:
                raise InputError(f"{key} stands twice in {text!r}", hint="give it once")
            told[_KEYS[key]] = parse_size(value) if key == "memory" else count(value)
        if lacking := [key for key in ("cpus", "memory") if _KEYS[key] not in told]:
            raise InputError(f"the host's {lacking[0]} are missing in {text!r}", hint="write cpus=64,memory=512G")
        return cls(told)

    @classmethod
    def of(cls, run: PastRun) -> PlannedHost:
        """The host on which a run was made."""
        facts = run.environment["host"]
        return cls({limits.CPU: facts["cpu"]["logical"], limits.MEMORY: facts["memory"]["total"]})

    def most(self, limit: str, measured: float) -> float:
        """What can be used of a limit at most."""
        told = self.told.get(limit)
        if told is None:
            return measured
        return told * (1 - FLOOR) if limit == limits.MEMORY else told
