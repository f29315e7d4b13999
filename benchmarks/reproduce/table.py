"""A reproduction, and what can be reproduced, as rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from isoscope.benchmarks.reproduce.result import Measured, Row
from isoscope.benchmarks.reproduce.rule import Band
from isoscope.benchmarks.results.quantity import MISSING, interval, number
from isoscope.core.units import format_duration

COLUMNS = (
    "WORKLOAD",
    "METRIC",
    "SYSTEM",
    "HERE",
    "THEIRS",
    "RATIO",
    "OURS",
    "RATIO",
    "95 % INTERVAL",
    "BAND",
    "VERDICT",
)
LISTING = ("ITEM", "WHAT", "ROWS", "TIME", "HERE")


def cells(row: Row) -> tuple[object, ...]:
    """The cells of one row."""
    return (
        row.short,
        f"{row.metric}, {row.unit}",
        row.system,
        f"{row.variant} ({row.accelerator})" if row.accelerator else row.variant or None,
        None if row.published is None else number(row.published),
        None if row.published_ratio is None else number(row.published_ratio),
        amount(row.ours),
        amount(row.ratio),
        "" if row.ratio is None else interval(row.ratio.interval),
        within(row.band),
        "baseline" if row.verdict is None else row.verdict.value,
    )


def amount(measured: Measured | None) -> str:
    """A value without its unit; a dash for none."""
    return MISSING if measured is None else number(measured.value)


def within(band: Band | None) -> str:
    """The edges of a band in words."""
    if band is None:
        return ""
    if band.high == float("inf"):
        return f"above {number(band.low)}"
    return f"below {number(band.high)}" if not band.low else f"{number(band.low)} to {number(band.high)}"


def reasons(rows: Iterable[Row]) -> Iterator[str]:
    """Why rows are not comparable, or differ: each reason once, with the systems that it is about."""
    about: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.reason:
            about.setdefault(f"{row.verdict}: {row.reason}", {})[row.system] = None
    for reason, systems in about.items():
        yield f"{', '.join(systems)}: {reason}"


def listed(entry: Mapping[str, Any]) -> Sequence[object]:
    """An entry of the listing."""
    name, rows = f"{entry['study']}/{entry['item']}", len(entry["rows"])
    if not entry["recipe"]:
        return (name, "", rows, None, "figures alone, no recipe")
    here = "yes" if entry["ready"] else f"no: {entry['reason']} ({entry['remedy']})"
    return (name, entry["summary"], rows, format_duration(entry["seconds"] * 1e9), here)
