"""What a reader must know before any figure: the accelerator of the virtual machines, and the clock."""

from __future__ import annotations

from isoscope.benchmarks.results.summary import Summary

CLOCK = (
    "Clock: CLOCK_MONOTONIC of the host, in nanoseconds, read when the host saw the event; no span comes from a wall "
    "clock. What a tool times inside an instance is by the instance's CLOCK_MONOTONIC; cpu, memory and syscall hold "
    "that against the host's."
)


def emulated(summary: Summary) -> list[str]:
    """The variants whose virtual machines ran under TCG."""
    return sorted({one.variant for one in summary.series if one.accelerator.lower() == "tcg"})


def accelerators(summary: Summary) -> list[str]:
    """A sentence for each kind of accelerator that was seen, the warning about TCG first."""
    sentences = []
    if names := emulated(summary):
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
