"""The commands `compare` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from isoscope.benchmarks.harness.extent import BLOCKS, LEAST_BLOCKS, MOST_BLOCKS, QUICK, parse_precision
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json
from isoscope.core.errors import InputError
from isoscope.core.units import parse_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.lab import Lab


@click.command()
@click.argument("workload", required=False)
@click.option("-b", "--backend", "variants", metavar="VARIANT", multiple=True, help="Compare this variant (repeat).")
@click.option(
    "-m",
    "--benchmark",
    "benchmarks",
    metavar="NAME[:K=V,...]",
    multiple=True,
    help="Measure this, under these options (repeat, or put commas between).",
)
@click.option(
    "-n",
    "--blocks",
    type=int,
    metavar="N",
    help=f"Measure each variant N times (default: {BLOCKS}), or with --precision at most N times ({MOST_BLOCKS}).",
)
@click.option(
    "--precision",
    metavar="PERCENT",
    help="Go on until the 95 % interval of every headline ratio lies within this of its value, as in 5% "
    f"(of every headline median, where one variant stands alone); at least {LEAST_BLOCKS} blocks.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Begin no block that would end later than this, as in 90s, 10m, 1h30m. The first one is always made.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Seed of the order of trials (default: random).")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run, to be made.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with a run that was stopped.")
@click.option("--quick", is_flag=True, help=f"Measure {QUICK} blocks of short trials: a look, without intervals.")
@json_option
def compare(  # noqa: PLR0917 -- click's parameters
    workload: str | None,
    variants: tuple[str, ...],
    benchmarks: tuple[str, ...],
    blocks: int | None,
    precision: str | None,
    budget: str | None,
    seed: int | None,
    output: Path | None,
    resume: Path | None,
    quick: bool,
    as_json: bool,
) -> int:
    """Measure variants side by side, in blocks of random order, and leave a run's folder with a report.

    WORKLOAD is a registered name or a TOML file. Without arguments: start-up of `hello` on every backend that is ready
    here. A block holds every variant once for each benchmark; a block before the first warms up.

    What fails is told and the rest goes on; the status is then 1. What this host lacks for one variant does not stop
    the others; the status is then 3. Stopped by Ctrl-C, what was measured is kept, the status is 130, and --resume goes
    on under the run's own terms, with the whole --budget again.
    """
    for name, value in (("-n", blocks), ("--precision", precision)):
        if quick and value is not None:
            raise InputError(f"--quick and {name} both set the number of blocks", hint="leave one of them out")
    extent = {
        "blocks": blocks,
        "precision": None if precision is None else parse_precision(precision),
        "budget": None if budget is None else parse_duration(budget),
    }
    if resume is None:
        request = {
            "backends": variants,
            "benchmarks": benchmarks or ("startup",),
            **extent,
            "seed": seed,
            "quick": quick,
            "directory": output,
        }
    else:
        extent["blocks"] = QUICK if quick else blocks
        asked = {"workload": workload, "variants": variants, "benchmarks": benchmarks, **extent, "seed": seed}
        _refuse_other_terms(resume, {**asked, "-o": output})
        request, workload = {"directory": resume, "resume": True, "backends": _variants(resume)}, None
    return _measure(current_lab(), workload, request, as_json=as_json)


def _measure(lab: Lab, workload: str | None, request: dict[str, Any], *, as_json: bool) -> int:
    from isoscope.benchmarks.harness.display import display
    from isoscope.benchmarks.harness.interrupts import Interrupted

    stopped: Interrupted | None = None
    with display() as progress:
        try:
            run = lab.compare(workload, progress=progress, **request)
        except Interrupted as signal:
            if signal.run is None:
                raise
            stopped, run = signal, signal.run
    _show(run, run.directory / "report.html", as_json=as_json)
    if stopped is not None:
        click.echo(f"stopped; go on with: isoscope compare --resume {run.directory}", err=True)
        return 128 + stopped.signal_number
    return 1 if run.failed else 3 if run.lacking else 0


def _show(run: Run, written: Path, *, as_json: bool) -> None:
    from isoscope.benchmarks.results.table import print_summary

    if as_json:
        print_json(run.results.as_dict())
    else:
        print_summary(run)
        click.echo(f"report: {written}")


def _variants(directory: Path) -> tuple[str, ...]:
    from isoscope.benchmarks.results.run import Run

    return Run.load(directory).terms.variants


def _refuse_other_terms(directory: Path, asked: dict[str, Any]) -> None:
    """A run goes on under its own terms: what is asked beside `--resume` must be the same."""
    from isoscope.benchmarks.results.run import Run

    terms = Run.load(directory).terms
    own = {
        "workload": tuple({subject.workload.name for subject in terms.subjects}),
        "variants": terms.variants,
        "benchmarks": tuple(subject.benchmark for subject in terms.subjects),
        "blocks": terms.blocks,
        "precision": terms.precision,
        "budget": terms.budget,
        "seed": terms.seed,
    }
    if asked["workload"] is not None:
        asked["workload"] = (asked["workload"].rpartition("/")[2].removesuffix(".toml"),)
    for name, value in asked.items():
        if value not in (None, (), own.get(name)):
            raise InputError(
                f"the run in {directory} has other {name} than asked for: {_words(own.get(name, directory))}",
                hint=f"go on under its own terms: isoscope compare --resume {directory}",
            )


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "none" if value is None else str(value)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--format", "form", default="html", show_default=True, metavar="NAME", help="html or md (GitHub's).")
@json_option
def report(directory: Path, form: str, as_json: bool) -> None:
    """Write the report of a run again, with its summary and its plots, from its trials."""
    from isoscope.benchmarks.harness.compare import derive

    run, path = derive(current_lab(), directory, form)
    _show(run, path, as_json=as_json)
