"""What a reader must know before any figure: whether the host is real, the VMs' accelerator, and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.results.summary import Summary

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

CLOCK = (
    "Clock: CLOCK_MONOTONIC of the host, in nanoseconds, read when the host saw the event; no span comes from a wall "
    "clock. What a tool times inside an instance is by the instance's CLOCK_MONOTONIC; cpu, memory and syscall hold "
    "that against the host's."
)


def verdicts(run: Run) -> list[str]:
    """The first sentences of every report: what the figures are of."""
    sentences = _accelerators(run.results)
    if signature := emulated_host(run.environment):
        sentences.insert(
            0,
            f"Emulated host: its processor, and all of its devices, are an emulation in software ({signature}). The "
            "figures show the path that instructions and packets take, not the speed of anything: neither they nor "
            "their ratios hold on hardware.",
        )
    return sentences


def doubtful(run: Run) -> bool:
    """Whether the first of them is a warning."""
    return bool(emulated_host(run.environment) or _emulated(run.results))


def emulated_host(environment: Mapping[str, Any]) -> str:
    """The signature of what emulates the host's own processor, in any part of a run that was gone on with; or ""."""
    for part in (environment, *environment.get("earlier", ())):
        found = (part.get("host") or {}).get("virtualized") or {}
        if found.get("emulated"):
            return str(found["signature"])
    return ""


def _emulated(summary: Summary) -> list[str]:
    """The variants whose virtual machines ran under TCG."""
    return sorted({one.variant for one in summary.series if one.accelerator.lower() == "tcg"})


def _accelerators(summary: Summary) -> list[str]:
    """A sentence for each kind of accelerator that was seen, the warning about TCG first."""
    sentences = []
    if names := _emulated(summary):
        sentences.append(
            f"Accelerator: TCG, QEMU's emulation in software, for {', '.join(names)}. "
            "Its figures are TCG's, not KVM's: do not take them for what a VM costs on hardware."
        )
    others: dict[str, list[str]] = {}
    for one in summary.series:
        if one.accelerator and one.accelerator.lower() != "tcg" and one.role != "harness":
            names = others.setdefault(one.accelerator, [])
            if one.variant not in names:
                names.append(one.variant)
    for accelerator, names in sorted(others.items()):
        sentences.append(f"Accelerator: {accelerator.upper()} for {', '.join(names)}.")
    return sentences or ["Accelerator: none; no virtual machine was measured."]
