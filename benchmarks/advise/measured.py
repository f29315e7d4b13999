"""What was measured on this host: the runs found in some folders, read from their summaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoscope.benchmarks.advise.candidates import Candidate
from isoscope.benchmarks.advise.figures import Basis, Cost, Figure, mean
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.files import read_json
from isoscope.core.errors import InputError
from isoscope.core.lab import Lab
from isoscope.core.workload import Workload

#: What must be the same for a run to be of this host; another kernel's figures are worth measuring again.
_SAME = ("cpu", "logical_cpus", "memory", "kernel")


def this_host(lab: Lab) -> dict[str, Any]:
    """What tells this host from others, as runs keep it."""
    host = lab.host
    return {
        "cpu": host.cpu.model,
        "logical_cpus": host.cpu.logical,
        "memory": host.memory.total,
        "kernel": host.kernel.release,
    }


@dataclass(frozen=True)
class PastRun:
    """A run's folder, without its trials: what was asked, and what came of it."""

    directory: Path
    manifest: Mapping[str, Any]
    environment: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def created_at(self) -> str:
        """RFC 3339, in UTC: texts in the order of time."""
        return str(self.manifest["created_at"])

    def subject(self, benchmark: str) -> Mapping[str, Any] | None:
        """A benchmark's terms, or None when it was not measured."""
        return next((one for one in self.manifest["benchmarks"] if one["benchmark"] == benchmark), None)

    def unlike(self, host: Mapping[str, Any]) -> list[str]:
        """What of its host is not as here."""
        facts = self.environment.get("host", {})
        there = {**self.manifest["host"], "memory": facts.get("memory", {}).get("total")}
        return [name for name in _SAME if not _alike(there.get(name), host[name])]


def _alike(there: Any, here: Any) -> bool:
    """Equal; of memory, nearly: the kernel keeps a little more or less of it from one start to the next."""
    if isinstance(there, int) and isinstance(here, int):
        return abs(there - here) <= here / 100
    return bool(there == here)


@dataclass(frozen=True)
class Passed:
    """A folder that was passed over, and why."""

    directory: Path
    why: str


@dataclass(frozen=True)
class Past:
    """The runs of this host, the newest first, and what was passed over."""

    runs: tuple[PastRun, ...] = ()
    passed: tuple[Passed, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant of which there is something; a twin's second label is none."""
        names = (v for run in self.runs for v in run.manifest["variants"] if v not in run.manifest.get("twins", {}))
        return tuple(dict.fromkeys(names))

    def figure(self, one: Candidate, cost: Cost, subject: Subject) -> Figure | None:
        """The best figure of a cost: of the workload itself before another's, with an interval before one without."""
        found = [
            (not own, figure.low is None, place, figure)
            for place, run in enumerate(self.runs)
            for own, figure in _figures(run, one, cost, subject.workload)
        ]
        return min(found, key=lambda each: each[:3])[-1] if found else None


def past(folders: Iterable[Path], host: Mapping[str, Any]) -> Past:
    """The runs in folders, each a run itself or a folder of runs, that were made on this host."""
    runs: list[PastRun] = []
    passed: list[Passed] = []
    for directory in dict.fromkeys(path.absolute() for folder in folders for path in _runs(folder)):
        try:
            run = read(directory)
            differs = run.unlike(host)
        except (InputError, KeyError, TypeError, AttributeError) as error:
            passed.append(Passed(directory, f"it is no whole run: {getattr(error, 'message', repr(error))}"))
            continue
        if differs:
            passed.append(Passed(directory, f"made on another host: other {', '.join(differs)}"))
        else:
            runs.append(run)
    return Past(tuple(sorted(runs, key=lambda run: run.created_at, reverse=True)), tuple(passed))


def read(directory: Path) -> PastRun:
    """A run's folder. Raises InputError."""
    manifest, summary = (read_json(directory / name) for name in ("manifest.json", "summary.json"))
    path = directory / "environment.json"
    return PastRun(directory, manifest, read_json(path) if path.exists() else {}, summary)


def _runs(folder: Path) -> Iterator[Path]:
    if (folder / "manifest.json").exists():
        yield folder
    elif folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if (path / "manifest.json").exists())


def _figures(run: PastRun, one: Candidate, cost: Cost, workload: Workload) -> Iterator[tuple[bool, Figure]]:
    """The figure of a cost in a run, and whether it is of the workload itself."""
    subject = run.subject(cost.benchmark)
    if subject is None or subject["options"].get("at-once", "1") != "1":
        return
    series = [
        each
        for each in run.summary["series"]
        if each["benchmark"] == cost.benchmark
        and (each["metric"], each["variant"], each["accelerator"]) == (cost.metric, one.variant, one.accelerator)
        and all(each["labels"].get(name) == value for name, value in cost.labels.items())
        and each["p50"] is not None
    ]
    values = [value for each in series if (value := _value(run, each, cost)) is not None]
    if not values:
        return
    ran = subject["workload"]
    blocks = min(each["blocks"] for each in series)
    name = ran["name"] or " ".join(ran["command"])
    several = f", mean of {len(values)}" if cost.of == "slowdown" and len(values) > 1 else ""
    value, low, high = _together(values, worst=cost.of == "worst")
    yield (
        ran["command"] == list(workload.command),
        Figure(
            cost=cost.name,
            value=value,
            low=low,
            high=high,
            unit=cost.unit,
            basis=Basis.MEASURED,
            source=str(run.directory),
            detail=f"{cost.metric} of {name}, {blocks} blocks{several}",
        ),
    )


_Value = tuple[float, float | None, float | None]


def _value(run: PastRun, series: Mapping[str, Any], cost: Cost) -> _Value | None:
    if cost.of != "slowdown":
        return series["p50"], series["median_interval"]["low"], series["median_interval"]["high"]
    ratio = series["ratio"]
    if not ratio or not ratio["value"] or ratio["to"].partition(":")[0] != "process":
        return None
    low, high = ratio["interval"]["low"], ratio["interval"]["high"]
    if series["direction"] == "lower":
        return ratio["value"], low, high
    return 1 / ratio["value"], 1 / high if high else None, 1 / low if low else None


def _together(values: list[_Value], *, worst: bool) -> _Value:
    """The greatest, or the geometric mean of values and of their ends; no interval unless all have one."""
    if worst or len(values) == 1:
        return max(values, key=lambda each: each[0])
    lows = [low for _, low, _ in values if low is not None and low > 0]
    highs = [high for _, _, high in values if high is not None]
    whole = len(lows) == len(highs) == len(values)
    return mean(value for value, _, _ in values), mean(lows) if whole else None, mean(highs) if whole else None
