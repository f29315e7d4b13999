"""What others published of a candidate's kind: for where this host has no figure of its own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from isoscope.benchmarks.advise.candidates import TCG, Candidate
from isoscope.benchmarks.advise.figures import Basis, Cost, Figure
from isoscope.benchmarks.metric import Direction
from isoscope.benchmarks.published import Published, figures, study


def published(one: Candidate, cost: Cost) -> Figure | None:
    """The published figure of the candidate's kind, or None. Nothing stands for a machine that TCG translates."""
    if one.accelerator == TCG:
        return None
    entry = next((e for e in entries() if (e["cost"], e["kind"]) == (cost.name, one.kind)), None)
    return None if entry is None else _figure(entry, cost)


def _figure(entry: Mapping[str, Any], cost: Cost) -> Figure:
    rows = figures(entry["study"], entry["item"])
    by_system = {row.system: row for row in rows if (row.metric, row.workload) == (entry["metric"], entry["workload"])}
    ours = by_system[entry["system"]]
    if "baseline" in entry:
        value, words = _slowdown(ours, by_system[entry["baseline"]]), f" to {entry['baseline']}"
    else:
        value, words = ours.value * entry.get("scale", 1), ", on the study's own host and clock"
    return Figure(
        cost=cost.name,
        value=value,
        low=None,
        high=None,
        unit=cost.unit,
        basis=Basis.PUBLISHED,
        source=f"{entry['study']}/{entry['item']}",
        detail=f"{entry['system']}{words}, {ours.workload} ({ours.basis.value})",
        decides=cost.of == "slowdown" and ours.basis.decides,
        citation=study(entry["study"]).citation,
    )


def _slowdown(ours: Published, base: Published) -> float:
    """How many times as slow as the baseline."""
    return ours.value / base.value if ours.better is Direction.LOWER else base.value / ours.value


@cache
def entries() -> tuple[dict[str, Any], ...]:
    """Which figures stand for which cost of which kind."""
    data = tomllib.loads((files("isoscope.benchmarks.advise") / "published.toml").read_text(encoding="utf-8"))
    return tuple(data["published"])
