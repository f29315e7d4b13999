"""How many instances a host would take, which limit says so, and how far beyond the measured that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from isoscope.benchmarks.capacity.fit import Fit, fits
from isoscope.benchmarks.capacity.host import FLOOR, PlannedHost
from isoscope.benchmarks.capacity.starts import Growth, Rate, growth, rate
from isoscope.benchmarks.density import limits
from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results.files import read_json
from isoscope.benchmarks.results.past import PastRun
from isoscope.benchmarks.runs import past_runs
from isoscope.core.errors import InputError, NotFound
from isoscope.core.lab import Lab
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

#: Beyond so many times what was measured, a plan says that it is a guess.
FAR = 20


@dataclass(frozen=True)
class Room:
    """One limit: how many instances use it up, at the low and the high end of what one takes."""

    limit: str
    fits: int
    low: int
    high: int
    fit: Fit
    most: float
    told: bool  #: whether the host's own limit was told, or is taken to be that of the measured one


@dataclass(frozen=True)
class Plan:
    """What a host, and a fleet of them, would take."""

    variant: str
    workload: str
    own: bool  #: whether the workload itself was measured
    measured_to: int
    rooms: tuple[Room, ...]  #: the tightest first
    reserved: int | None  #: how many fit when each takes all the memory it may, and CPUs likewise
    reserved_by: str
    growth: Growth | None
    rates: tuple[Rate, ...]
    cpus: tuple[int, int]  #: of the measured host, and of the planned one
    hosts: int
    source: str
    blocks: int

    @property
    def binding(self) -> Room:
        """The limit that is used up first."""
        return self.rooms[0]

    @property
    def fits(self) -> tuple[int, int, int]:
        """Instances on a host: the estimate and its interval, over all limits."""
        return self.binding.fits, min(room.low for room in self.rooms), min(room.high for room in self.rooms)

    @property
    def beyond(self) -> float:
        """How many times what was measured the estimate is."""
        return self.binding.fits / self.measured_to

    def hosts_for(self, instances: int) -> tuple[int, int, int] | None:
        """How many hosts so many instances need: the estimate, at best and at worst; None when none fit for certain."""
        value, low, high = self.fits
        return None if low < 1 else (ceil(instances / value), ceil(instances / high), ceil(instances / low))

    def _repr_html_(self) -> str:
        from isoscope.benchmarks.capacity.words import told
        from isoscope.benchmarks.display.bundle import told_html

        return told_html(told(self))

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        value, low, high = self.fits
        return {
            "schema": 1,
            "variant": self.variant,
            "workload": self.workload,
            "workload_itself_measured": self.own,
            "fits": {"value": value, "low": low, "high": high, "binding": self.binding.limit},
            "fleet": {
                "hosts": self.hosts,
                "value": value * self.hosts,
                "low": low * self.hosts,
                "high": high * self.hosts,
            },
            "measured_to": self.measured_to,
            "beyond": self.beyond,
            "confidence": 0.95 if self.binding.fit.each.confident else None,
            "limits": [asdict(room) for room in self.rooms],
            "reserved": None if self.reserved is None else {"fits": self.reserved, "binding": self.reserved_by},
            "start_growth": None if self.growth is None else {**asdict(self.growth), "holds": self.growth.holds},
            "start_rates": [asdict(one) for one in self.rates],
            "cpus": {"measured": self.cpus[0], "planned": self.cpus[1]},
            "source": self.source,
            "blocks": self.blocks,
        }


def plan_capacity(
    lab: Lab,
    variant: str | Variant,
    workload: str | Path = "sleep",
    *,
    host: str | None = None,
    hosts: int = 1,
    runs: Sequence[Path] | None = None,
) -> Plan:
    """How many instances of a workload a host, or so many `hosts` like it, would take on a variant.

    `workload` is a registered name or a TOML file. `host` is written `cpus=64,memory=512G`, also with pids,
    descriptors, mounts and links; by default it is the one that was measured. Ramps come from this host's runs of the
    benchmark `density` in the folders `runs`, by default in `runs/`; nothing is started. Raises NotFound where there
    are none, and InputError for a fit that does not hold.
    """
    planned = None if host is None else PlannedHost.parse(host)
    chosen = Variant.parse(variant) if isinstance(variant, str) else variant
    chosen.backend_options(lab.backend(chosen.backend).options)
    name = str(workload)
    subject, file = lab.workload(name), name if name.endswith(".toml") else ""
    return extrapolate(past_runs(lab, runs).runs, chosen, subject, planned, hosts=hosts, file=file)


def extrapolate(
    runs: Sequence[PastRun], variant: Variant, workload: Workload, host: PlannedHost | None, *, hosts: int, file: str
) -> Plan:
    """Carry on the newest run with the variant's ramps. Raises NotFound without one, InputError for a bad fit."""
    name, measure = str(variant), command(variant, file)
    run = _run(runs, name, workload, measure)
    subject = run.subject("density")
    assert subject is not None
    ramps = _ramps(run, name)
    if not ramps:
        raise NotFound(f"the run {run.directory} has no ramp of {name}", hint=f"measure it: {measure}")
    planned = host or PlannedHost.of(run)
    found = {limit: fit for limit, fit in fits(ramps).items() if fit.each.value > 0}
    _check(found, run, measure)
    rooms = sorted(_rooms(found, planned), key=lambda room: room.fits)
    resources = workload.with_overrides(variant.options).resources
    reserved, by = _reserved(planned, resources.memory, resources.cpus)
    accelerator = ramps[0]["proof"].get("accelerator", "")
    rates = [one for run in runs if (one := rate(run, name, accelerator)) is not None]
    return Plan(
        variant=f"{name} ({accelerator})" if accelerator else name,
        workload=subject["workload"]["name"] or " ".join(subject["workload"]["command"]),
        own=subject["workload"]["command"] == list(workload.command),
        measured_to=max(ramp["looks"][-1]["instances"] for ramp in ramps),
        rooms=tuple(rooms),
        reserved=reserved,
        reserved_by=by,
        growth=growth(ramps),
        rates=tuple({one.at_once: one for one in reversed(rates)}.values()),
        cpus=(int(run.environment["host"]["cpu"]["logical"]), int(planned.told[limits.CPU])),
        hosts=hosts,
        source=str(run.directory),
        blocks=len(ramps),
    )


def command(variant: Variant, file: str) -> str:
    """What measures all that a plan rests on."""
    return f"isoscope compare{f' {file}' if file else ''} -m density:upto=50 -b {variant} -n 6"


def _run(runs: Sequence[PastRun], name: str, workload: Workload, measure: str) -> PastRun:
    """The newest run with ramps of the variant: of the workload itself before another's."""
    found = [run for run in runs if run.subject("density") is not None and name in run.manifest["variants"]]
    if not found:
        raise NotFound(f"the density of {name} was never measured here", hint=f"measure it: {measure}")

    def others(run: PastRun) -> bool:
        subject = run.subject("density")
        return subject is not None and subject["workload"]["command"] != list(workload.command)

    return min(found, key=others)


def _ramps(run: PastRun, variant: str) -> list[dict[str, Any]]:
    """The ramps of a variant, warm-ups left out. Raises InputError for a file that cannot be read."""
    cells = Terms.from_dict(run.manifest).cells()
    trials = [
        cell.trial for cell in cells if (cell.benchmark, cell.variant, cell.warmup) == ("density", variant, False)
    ]
    paths = [run.directory / "raw" / "density" / f"{trial:05}-ramp.json" for trial in trials]
    ramps = [read_json(path) for path in paths if path.exists()]
    return [ramp for ramp in ramps if ramp["failure"] is None]


def _check(found: Mapping[str, Fit], run: PastRun, measure: str) -> None:
    """Refuse what cannot be extrapolated: memory has to be known, and along a line."""
    memory = found.get(limits.MEMORY)
    if memory is None or not memory.takes:
        raise InputError(
            f"what one more takes of memory cannot be told from noise in {run.directory}",
            hint=f"measure on a quieter host, or go further up: {measure}",
        )
    bad = [fit for fit in found.values() if fit.takes and not fit.holds]
    if bad:
        raise InputError(
            f"the fit does not hold: {bad[0].limit} lies {bad[0].deviation:.0%} of its rise off a line "
            f"in {run.directory}",
            hint=f"measure on a quieter host, or go further up: {measure}",
        )


def _rooms(found: Mapping[str, Fit], host: PlannedHost) -> list[Room]:
    rooms = []
    for limit, fit in found.items():
        if not fit.takes:
            continue
        most = host.most(limit, fit.most)
        free = max(0.0, most - fit.base)
        value, low, high = (int(free / each) for each in (fit.each.value, fit.each.high, fit.each.low))
        rooms.append(Room(limit, value, low, high, fit, most, limit in host.told))
    return rooms


def _reserved(host: PlannedHost, memory: int | None, cpus: float | None) -> tuple[int | None, str]:
    """How many fit when each takes all that it may: what a scheduler counts that promises no more than there is."""
    counts = {}
    if memory is not None:
        counts[limits.MEMORY] = int(host.told[limits.MEMORY] * (1 - FLOOR) / memory)
    if cpus is not None:
        counts[limits.CPU] = int(host.told[limits.CPU] / cpus)
    return min(((count, name) for name, count in counts.items()), default=(None, ""))
