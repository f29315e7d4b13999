"""The hooks by which everything registers, the built-in plugins through the same door as a stranger's.

A plugin is a module (or object) named by an entry point of the group `isoscope`, with functions marked `@hookimpl`.
Keep it light: it is imported by every command, so import the real thing inside the hook or the factory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click
    from isoscope.core.backend import Backend, Context
    from isoscope.core.comparison import Comparison
    from isoscope.core.lab import Lab
    from isoscope.core.rootfs import ImageStore
    from isoscope.core.workload import Workload

hookspec = pluggy.HookspecMarker("isoscope")
hookimpl = pluggy.HookimplMarker("isoscope")


@hookspec
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer backends: `register("mine", factory)`, where `factory(context)` imports and makes the backend.

    Called once for each lab, when a backend is first asked for.
    """


@hookspec
def isoscope_register_benchmarks(register: Callable[[str, Callable[[], Any]], None]) -> None:
    """Offer benchmarks: `register("mine", factory)`, where `factory()` returns an `isoscope.benchmarks.Benchmark`.

    Called once for each comparison and listing.
    """


@hookspec
def isoscope_register_workloads(register: Callable[[str, Workload], None]) -> None:
    """Offer workloads by name: `register("hello", Workload(...))`. Called when a workload is first asked for."""


@hookspec
def isoscope_register_reports(register: Callable[[str, Callable[[Path], Path]], None]) -> None:
    """Offer report formats: `register("html", write)`, where `write(run_directory)` returns the file it wrote."""


@hookspec
def isoscope_register_recipes(register: Callable[[str, Callable[[], Any]], None]) -> None:
    """Offer recipes for published comparisons: `register("STUDY/ITEM", factory)`.

    `factory()` returns an `isoscope.benchmarks.reproduce.Recipe`. Called once for each `isoscope reproduce`.
    """


@hookspec
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """Offer commands: `register("mine", "one line of help", load)`; `load()` imports and returns the click command.

    Called when the command line starts; `load` only when the command is run or its help is asked for.
    """


@hookspec(firstresult=True)
def isoscope_image_store(home: Path) -> ImageStore | None:
    """The image store of a state directory. The first plugin that returns one wins. Called once for each lab."""


@hookspec(firstresult=True)
def isoscope_display(shown: Any) -> dict[str, str] | None:
    """How a notebook shows an object of ours: MIME type to text, `{"text/html": "<p>..."}`, escaped; None for its repr.

    Asked for a `Result`, a `Plan`, a `Timeline`, and a lab's `host`. The first plugin that returns something wins.
    """


@hookspec(firstresult=True)
def isoscope_compare(lab: Lab, comparison: Comparison) -> Any:
    """Carry out a comparison and return its `isoscope.benchmarks.Run`. The first plugin that returns one wins."""
