"""Offers the benchmarks, the workloads they run, the reports, and the commands that compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click
    from isoscope.benchmarks.benchmark import Benchmark
    from isoscope.benchmarks.reproduce.recipe import Recipe
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

    def overhead() -> Benchmark:
        from isoscope.benchmarks.overhead.benchmark import Overhead

        return Overhead()

    register("overhead", overhead)

    def disk() -> Benchmark:
        from isoscope.benchmarks.disk.benchmark import Disk

        return Disk()

    register("disk", disk)

    def network() -> Benchmark:
        from isoscope.benchmarks.network.benchmark import Network

        return Network()

    register("network", network)

    def oltp() -> Benchmark:
        from isoscope.benchmarks.oltp.benchmark import Oltp

        return Oltp()

    register("oltp", oltp)

    def randomaccess() -> Benchmark:
        from isoscope.benchmarks.randomaccess.benchmark import RandomAccess

        return RandomAccess()

    register("randomaccess", randomaccess)

    def redis() -> Benchmark:
        from isoscope.benchmarks.redis.benchmark import Redis

        return Redis()

    register("redis", redis)

    def rr() -> Benchmark:
        from isoscope.benchmarks.rr.benchmark import Rr

        return Rr()

    register("rr", rr)


@hookimpl
def isoscope_register_workloads(register: Callable[[str, Workload], None]) -> None:
    """Offer the built-in workloads."""
    from isoscope.benchmarks.workloads import WORKLOADS

    for name, workload in WORKLOADS.items():
        register(name, workload)


@hookimpl
def isoscope_register_reports(register: Callable[[str, Callable[[Path], Path]], None]) -> None:
    """Offer `html` and `md`, and `reproduction` for a run that repeats a study."""

    def html(directory: Path) -> Path:
        from isoscope.benchmarks.report.html import write

        return write(directory)

    def markdown(directory: Path) -> Path:
        from isoscope.benchmarks.report.markdown import write

        return write(directory)

    def reproduction(directory: Path) -> Path:
        from isoscope.benchmarks.reproduce.page import write_again

        return write_again(directory)

    register("html", html)
    register("md", markdown)
    register("reproduction", reproduction)


@hookimpl
def isoscope_register_recipes(register: Callable[[str, Callable[[], Recipe]], None]) -> None:
    """Offer the built-in recipes."""
    from isoscope.benchmarks.reproduce.recipes import offered

    for name, make in offered().items():
        register(name, make)


@hookimpl
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """Offer what compares, and what is concluded from it."""

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

    def reproduce() -> click.Command:
        from isoscope.benchmarks.reproduce.cli import reproduce

        return reproduce

    def advise() -> click.Command:
        from isoscope.benchmarks.advise.cli import advise

        return advise

    def plan() -> click.Command:
        from isoscope.benchmarks.capacity.cli import plan

        return plan

    register("compare", "Measure variants side by side.", compare)
    register("report", "Write the report of a run again.", report)
    register("diff", "Compare two runs with each other.", diff)
    register("selftest", "Compare variants with themselves: is a difference seen?", selftest)
    register("reproduce", "Repeat a published comparison: has it the same shape here?", reproduce)
    register("advise", "Say which backend suits a workload, and why.", advise)
    register("plan", "Say on paper how many instances a host would take.", plan)


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
