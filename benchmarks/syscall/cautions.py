"""What a reader must know before the figures of `syscall`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks import hazards
from isoscope.benchmarks.syscall.metrics import CLOCK, SHARE, TIME

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def cautions(run: Run) -> list[str]:
    """TCG, filters, file systems, kernels, clocks."""
    return [
        *hazards.translated(
            run,
            "syscall",
            means="calls stay within the guest, but its kernel runs many times slower than on KVM, where most of them "
            "cost about what they cost on the host",
        ),
        *_filtered(run),
        *_filesystems(run),
        *hazards.clocks(run, CLOCK),
        *hazards.waiting(run, SHARE),
        *hazards.unknown_speed(run),
    ]


def _filtered(run: Run) -> list[str]:
    found = [variant for variant, values in _labels(run, "seccomp").items() if "filter" in values]
    if not found:
        return []
    return [f"{', '.join(found)}: a seccomp filter looks at every call, and what it takes is in every figure"]


def _filesystems(run: Run) -> list[str]:
    found = {variant: ", ".join(sorted(values)) for variant, values in _labels(run, "filesystem").items()}
    if len(set(found.values())) < 2:
        return []
    words = "; ".join(f"{variant} on {name}" for variant, name in found.items())
    return [f"open+close, read and write go to a file of the instance's root, which differs: {words}"]


def _labels(run: Run, name: str) -> dict[str, set[str]]:
    rows = run.trials[(run.trials["metric"] == TIME.name) & (run.trials["status"] == "ok")]
    found: dict[str, set[str]] = {}
    for variant, labels in zip(rows["variant"], rows["labels"], strict=True):
        found.setdefault(variant, set()).add(str(labels.get(name, "unknown")))
    return {variant: found[variant] for variant in run.terms.variants if variant in found}
