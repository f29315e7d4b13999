"""What a reader must know before the figures of `cpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks import hazards
from isoscope.benchmarks.cpu.metrics import CLOCK, FLOPS, SHARE

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def cautions(run: Run) -> list[str]:
    """The hazards of all that computes, and SIMD that a variant does not show its instances."""
    threads = max((labels.get("threads", 1) for labels in run.trials["labels"]), default=1)
    return [
        *hazards.translated(run, "cpu", means="what it computes a second says nothing about KVM, where it is near 1"),
        *_simd(run),
        *hazards.clocks(run, CLOCK),
        *hazards.waiting(run, SHARE, threads),
        *hazards.unknown_speed(run),
    ]


def _simd(run: Run) -> list[str]:
    rows = run.trials[(run.trials["metric"] == FLOPS.name) & (run.trials["status"] == "ok")]
    pairs = zip(rows["variant"], rows["labels"], strict=True)
    found = sorted({(variant, labels.get("simd", "")) for variant, labels in pairs})
    if len({simd for _, simd in found}) < 2:
        return []
    words = ", ".join(f"{variant} {simd}" for variant, simd in found)
    return [f"cpu.flops: the CPU that instances are shown differs, and with it the instructions that were run: {words}"]
