"""What a reader must know before the figures of `memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks import hazards
from isoscope.benchmarks.memory.metrics import BANDWIDTH, CLOCK, SHARE
from isoscope.core.units import format_size

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

#: STREAM's own rule: each array at least so many times the last cache.
_TIMES = 4


def cautions(run: Run) -> list[str]:
    """TCG, caches, huge pages, clocks, CPUs that others used."""
    return [
        *hazards.translated(
            run,
            "memory",
            means="bandwidth is bound by the translated instructions there, not by memory, and a page fault is the "
            "work of TCG's own page tables",
        ),
        *_cached(run),
        *_huge(run),
        *hazards.clocks(run, CLOCK),
        *hazards.waiting(run, SHARE),
    ]


def _cached(run: Run) -> list[str]:
    rows = run.trials[(run.trials["metric"] == BANDWIDTH.name) & (run.trials["status"] == "ok")]
    sizes = {(labels.get("array_bytes", 0), labels.get("llc_bytes")) for labels in rows["labels"]}
    if any(cache is None for _, cache in sizes):
        return ["The host does not show the size of its caches: whether the arrays outgrow them is not known"]
    return [
        f"STREAM's arrays of {format_size(array)} are less than {_TIMES} times the last cache of {format_size(cache)}, "
        "as its rules ask for: some of the bandwidth is the cache's. They must fit a VM, three at a time; "
        "-m memory:array=SIZE and a variant with more memory make them larger"
        for array, cache in sorted(sizes)
        if array < _TIMES * cache
    ]


def _huge(run: Run) -> list[str]:
    rows = run.trials[(run.trials["metric"] == BANDWIDTH.name) & (run.trials["status"] == "ok")]
    found = sorted({v for v, labels in zip(rows["variant"], rows["labels"], strict=True) if labels.get("huge_bytes")})
    if not found or len(found) == rows["variant"].nunique():
        return []
    return [
        f"STREAM's arrays lay in transparent huge pages in {', '.join(found)} only, as the kernels' policies have it"
    ]
