"""What others published of a candidate's kind: for where this host has no figure of its own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from isoscope.benchmarks.advise.candidates import TCG, Candidate
from isoscope.benchmarks.advise.figures import Basis, Cost, Figure, mean
from isoscope.benchmarks.metric import Direction
from isoscope.benchmarks.published import Published, figures, study


def published(one: Candidate, cost: Cost) -> Figure | None:
    """The published figure of the candidate's kind, or None. Nothing stands for a machine that TCG translates."""
    if one.accelerator == TCG:
        return None
    entry = next((e for e in _entries() if (e["cost"], e["kind"]) == (cost.name, one.kind)), None)
    return None if entry is None else _figure(entry, cost)


def _figure(entry: Mapping[str, Any], cost: Cost) -> Figure:
    rows = [row for row in figures(entry["study"], entry["item"]) if row.metric == entry["metric"]]
    ours = [row for row in rows if row.system == entry["system"]]
    values = (
        _slowdowns(ours, rows, entry["baseline"])
        if "baseline" in entry
        else [r.value * entry.get("scale", 1) for r in ours]
    )
    several = len(values) > 1
    return Figure(
        cost=cost.name,
        value=mean(values),
        low=min(values) if several else None,
        high=max(values) if several else None,
        unit=cost.unit,
        basis=Basis.PUBLISHED,
        source=f"{entry['study']}/{entry['item']}",
        detail=_detail(entry, ours),
        decides=cost.of == "slowdown" and all(row.basis.decides for row in ours),
        citation=study(entry["study"]).citation,
    )


def _slowdowns(ours: list[Published], rows: list[Published], baseline: str) -> list[float]:
    """How many times as slow as the baseline, for each workload that has both."""
    theirs = {row.workload: row.value for row in rows if row.system == baseline}
    pairs = [(row, theirs[row.workload]) for row in ours if row.workload in theirs]
    return [row.value / base if row.better is Direction.LOWER else base / row.value for row, base in pairs]


def _detail(entry: Mapping[str, Any], ours: list[Published]) -> str:
    name = str(entry["system"])
    name += f" to {entry['baseline']}" if "baseline" in entry else ", on the study's own host and clock"
    name += f", least and greatest of {len(ours)}" if len(ours) > 1 else ""
    return f"{name}, {', '.join(sorted({row.basis.value for row in ours}))}"


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    data = tomllib.loads((files("isoscope.benchmarks.advise") / "published.toml").read_text(encoding="utf-8"))
    return tuple(data["published"])
