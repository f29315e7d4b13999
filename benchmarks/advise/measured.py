"""What was measured on this host: the best figure that its runs have of a cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isoscope.benchmarks.advise.candidates import Candidate
from isoscope.benchmarks.advise.figures import Basis, Cost, Figure
from isoscope.benchmarks.results.past import Past, PastRun
from isoscope.core.workload import Workload


def measured(past: Past, one: Candidate, cost: Cost, workload: Workload) -> Figure | None:
    """The best figure of a cost: of the workload itself before another's, with an interval before one without.

    Of several that are alike, the newest.
    """
    found = [
        (not own, figure.low is None, place, figure)
        for place, run in enumerate(past.runs)
        for own, figure in _figures(run, one, cost, workload)
    ]
    return min(found, key=lambda each: each[:3])[-1] if found else None


def _figures(run: PastRun, one: Candidate, cost: Cost, workload: Workload) -> Iterator[tuple[bool, Figure]]:
    """The figure of a cost in a run, and whether it is of the workload itself."""
    subject = run.subject(cost.benchmark)
    if subject is None or subject["options"].get("at-once", "1") != "1":
        return
    series = [
        each
        for each in run.summary["series"]
        if each["benchmark"] == cost.benchmark
        and (each["metric"], each["variant"]) == (cost.metric, one.variant)
        and one.accelerator in ("", each["accelerator"])  # gVisor's platform is one that a run alone tells
        and all(each["labels"].get(name) == value for name, value in cost.labels.items())
        and each["p50"] is not None
    ]
    values = [found for each in series if (found := _value(each, cost)) is not None]
    if not values:
        return
    ran = subject["workload"]
    blocks = min(each["blocks"] for each in series)
    name = ran["name"] or " ".join(ran["command"])
    several = f", the worst of {len(values)}" if len(values) > 1 else ""
    value, low, high = max(values, key=lambda each: each[0])
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
            detail=f"{cost.metric}{_under(cost)} of {name}, {blocks} blocks{several}{_disturbed(run)}",
        ),
    )


_Value = tuple[float, float | None, float | None]


def _value(series: Mapping[str, Any], cost: Cost) -> _Value | None:
    if cost.of != "slowdown":
        return series["p50"], series["median_interval"]["low"], series["median_interval"]["high"]
    ratio = series["ratio"]
    if not ratio or not ratio["value"] or ratio["to"].partition(":")[0] != "process":
        return None
    low, high = ratio["interval"]["low"], ratio["interval"]["high"]
    if series["direction"] == "lower":
        return ratio["value"], low, high
    return 1 / ratio["value"], 1 / high if high else None, 1 / low if low else None


def _under(cost: Cost) -> str:
    return "".join(f" {name}={value}" for name, value in cost.labels.items())


def _disturbed(run: PastRun) -> str:
    """What was on the host while it was measured, as the run itself noted."""
    notes = run.environment.get("notes") or []
    return f"; disturbed: {notes[0]}" if notes else ""
