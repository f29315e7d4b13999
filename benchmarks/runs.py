"""The option `--runs`, and the runs of this host that it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from isoscope.core.comparison import RUNS
from isoscope.core.errors import NotFound

if TYPE_CHECKING:
    from isoscope.benchmarks.results.past import Past
    from isoscope.core.lab import Lab

_Command = TypeVar("_Command", bound=Callable[..., Any])


def runs_option(command: _Command) -> _Command:
    """The option `--runs DIR`, for commands that conclude from runs; the command gets it as `folders`."""
    decorate = click.option(
        "--runs",
        "folders",
        type=click.Path(path_type=Path),
        metavar="DIR",
        multiple=True,
        callback=lambda _, __, named: (*named, *filter(Path.is_dir, [RUNS])),
        help="Look for runs here, too: a run's folder, or a folder of runs (repeat). runs/ is always looked at.",
    )
    return decorate(command)


def past_runs(lab: Lab, folders: Sequence[Path] | None) -> Past:
    """The runs of this host in the named folders, or, by default, where `compare` leaves them. Raises NotFound."""
    from isoscope.benchmarks.results.past import past, this_host

    for folder in folders or ():
        if not folder.is_dir():
            raise NotFound(f"there is no folder {folder}", hint="name a run's folder, or a folder of runs")
    return past([RUNS] if folders is None else folders, this_host(lab))
