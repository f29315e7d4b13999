"""Offers the benchmarks, the workloads they run, the reports, and the commands that compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click
    from isoscope.benchmarks.benchmark import Benchmark
    from isoscope.core.comparison import Comparison
    from isoscope.core.lab import Lab
    from isoscope.core.workload import Workload


@hookimpl
def isoscope_register_benchmarks(register: Callable[[str, Callable[[], Benchmark]], None]) -> None:
    """Offer the built-in benchmarks."""

    def startup() -> Benchmark:
        from isoscope.benchmarks.startup.benchmark import Startup

        return Startup()

    register("startup", startup)

    def density() -> Benchmark:
        from isoscope.benchmarks.density.benchmark import Density

        return Density()

    register("density", density)

    def cpu() -> Benchmark:
        from isoscope.benchmarks.cpu.benchmark import Cpu

        return Cpu()

    register("cpu", cpu)

    def memory() -> Benchmark:
        from isoscope.benchmarks.memory.benchmark import Memory

        return Memory()

    register("memory", memory)

    def syscall() -> Benchmark:
        from isoscope.benchmarks.syscall.benchmark import Syscall

        return Syscall()

    register("syscall", syscall)

    def interference() -> Benchmark:
        from isoscope.benchmarks.interference.benchmark import Interference

        return Interference()

    register("interference", interference)

    def disk() -> Benchmark:
        from isoscope.benchmarks.disk.benchmark import Disk

        return Disk()

    register("disk", disk)

    def network() -> Benchmark:
        from isoscope.benchmarks.network.benchmark import Network

        return Network()

    register("network", network)


@hookimpl
def isoscope_register_workloads(register: Callable[[str, Workload], None]) -> None:
    """Offer the built-in workloads."""
    from isoscope.benchmarks.workloads import WORKLOADS

    for name, workload in WORKLOADS.items():
        register(name, workload)


@hookimpl
def isoscope_register_reports(register: Callable[[str, Callable[[Path], Path]], None]) -> None:
    """Offer `html` and `md`."""

    def html(directory: Path) -> Path:
        from isoscope.benchmarks.report.html import write

        return write(directory)

    def markdown(directory: Path) -> Path:
        from isoscope.benchmarks.report.markdown import write

        return write(directory)

    register("html", html)
    register("md", markdown)


@hookimpl
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """Offer `compare`, `report`, `diff` and `selftest`."""

    def compare() -> click.Command:
        from isoscope.benchmarks.cli import compare

        return compare

    def report() -> click.Command:
        from isoscope.benchmarks.cli import report

        return report

    def diff() -> click.Command:
        from isoscope.benchmarks.diff.cli import diff

        return diff

    def selftest() -> click.Command:
        from isoscope.benchmarks.selftest import selftest

        return selftest

    register("compare", "Measure variants side by side.", compare)
    register("report", "Write the report of a run again.", report)
    register("diff", "Compare two runs with each other.", diff)
    register("selftest", "Compare variants with themselves: is a difference seen?", selftest)


@hookimpl
def isoscope_display(shown: Any) -> dict[str, str] | None:
    """Show what the core returns as the reports show it."""
    from isoscope.benchmarks.display.bundle import bundle

    return bundle(shown)


@hookimpl
def isoscope_compare(lab: Lab, comparison: Comparison) -> Any:
    """Carry out a comparison with the harness of this package."""
    from isoscope.benchmarks.harness.compare import compare

    return compare(lab, comparison)
