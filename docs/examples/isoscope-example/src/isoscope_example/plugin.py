"""What Isoscope loads by the entry point, for every command: it is light; the real things are imported when made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isoscope.core import hookimpl

if TYPE_CHECKING:
    from isoscope.benchmarks import Benchmark
    from isoscope.core.backend import Backend, Context


@hookimpl
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer the backend."""

    def make(context: Context) -> Backend:
        from isoscope_example.backend import ExampleBackend

        return ExampleBackend(context)

    register("example", make)


@hookimpl
def isoscope_register_benchmarks(register: Callable[[str, Callable[[], Benchmark]], None]) -> None:
    """Offer the benchmark `files`."""

    def files() -> Benchmark:
        from isoscope_example.benchmark import Files

        return Files()

    register("files", files)
