"""The command `reproduce`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.errors import HostError, InputError

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.recipe import Recipe
    from isoscope.benchmarks.reproduce.result import Reproduction
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.lab import Lab

_Progress = Callable[[dict[str, Any]], None]
_Result = tuple["Run", "Reproduction"]


@click.command()
@click.argument("name", metavar="STUDY[/ITEM]", required=False)
@click.option(
    "--list", "listed", is_flag=True, help="List what can be repeated, what it needs, and whether it goes here."
)
@click.option("-n", "--blocks", type=click.IntRange(1), metavar="N", help="Measure each system N times.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Seed of the order of trials (default: random).")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run, to be made.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="DIR", help="Go on with one that was stopped.")
@click.option("--quick", is_flag=True, help="A look: a few blocks of short trials, too few for a verdict.")
@json_option
def reproduce(  # noqa: PLR0917 -- click's parameters
    name: str | None,
    listed: bool,
    blocks: int | None,
    seed: int | None,
    output: Path | None,
    resume: Path | None,
    quick: bool,
    as_json: bool,
) -> int:
    """Repeat a published comparison here, and say whether it has the same shape.

    The study's settings are scaled to this host by rules that are printed; what counts are ratios, each to its own
    baseline. The verdict is `same shape`, `different` or `not comparable`, with the reason. The run's folder is one as
    `compare` leaves it, with `reproduction.html` and `reproduction.json` beside its report.

    The status is 0 whatever the verdict, 1 when a trial failed, 3 when this host cannot repeat it. STUDY alone repeats
    all items of it that go here.
    """
    if sum((name is not None, listed, resume is not None)) != 1:
        raise InputError(
            "name a study, or --list, or --resume DIR: one of them",
            hint="isoscope reproduce --list shows what there is",
        )
    if quick and blocks is not None:
        raise InputError("--quick and -n both set the number of blocks", hint="leave one of them out")
    lab = current_lab()
    if listed:
        _list(lab, as_json=as_json)
        return 0
    if resume is not None:
        if given := [text for text, value in (("-n", blocks), ("--seed", seed), ("-o", output)) if value is not None]:
            raise InputError(f"--resume goes on under the run's own terms, without {given[0]}", hint="leave it out")
        from isoscope.benchmarks.reproduce.carry_out import go_on

        return _measure([lambda progress: go_on(lab, resume, progress)], as_json=as_json)
    assert name is not None
    return _reproduce(lab, name, quick=quick, blocks=blocks, seed=seed, output=output, as_json=as_json)


def _reproduce(
    lab: Lab, name: str, *, quick: bool, blocks: int | None, seed: int | None, output: Path | None, as_json: bool
) -> int:
    from isoscope.benchmarks.reproduce.carry_out import Extent, carry_out
    from isoscope.benchmarks.reproduce.offer import chosen
    from isoscope.core.comparison import new_folder

    found = chosen(lab, name)
    if len(found) > 1:
        found = _possible(lab, name, found)
    folder = output or new_folder()
    extent = Extent(quick=quick, blocks=blocks, seed=seed)

    def one(recipe: Recipe) -> Callable[[_Progress], _Result]:
        directory = folder if "/" in name else folder / recipe.item
        return lambda progress: carry_out(lab, recipe, directory, extent, progress)

    return _measure([one(recipe) for recipe in found], as_json=as_json)


def _possible(lab: Lab, name: str, found: list[Recipe]) -> list[Recipe]:
    """Those recipes that go here; what the others lack is told. Raises HostError when none does."""
    from isoscope.benchmarks.reproduce.carry_out import lacks
    from isoscope.benchmarks.reproduce.here import Here

    here = Here.of(lab)
    missing = {one.name: lacks(lab, one, one.plan(here, quick=False)).reason for one in found}
    for item, lack in missing.items():
        if lack is not None:
            click.echo(f"{item} does not go here: {lack.what} ({lack.remedy})", err=True)
    if all(missing.values()):
        raise HostError(
            f"this host can repeat no item of {name}", hint="isoscope reproduce --list says what each lacks"
        )
    return [one for one in found if missing[one.name] is None]


def _measure(parts: list[Callable[[_Progress], _Result]], *, as_json: bool) -> int:
    from isoscope.benchmarks.harness.display import display
    from isoscope.benchmarks.harness.interrupts import Interrupted
    from isoscope.benchmarks.reproduce.words import told
    from isoscope.benchmarks.told import print_told

    status, documents = 0, []
    for part in parts:
        with display() as progress:
            try:
                run, found = part(progress)
            except Interrupted as signal:
                if signal.run is not None:
                    click.echo(f"stopped; go on with: isoscope reproduce --resume {signal.run.directory}", err=True)
                    return 128 + signal.signal_number
                raise
        status = max(status, int(run.failed))
        if as_json:
            documents.append(found.as_dict())
        else:
            print_told(told(found))
            click.echo(f"page: {run.directory / 'reproduction.html'}")
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
    return status


def _list(lab: Lab, *, as_json: bool) -> None:
    from isoscope.benchmarks.reproduce.listing import repeatable
    from isoscope.benchmarks.reproduce.table import LISTING, listed

    found = repeatable(lab)
    if as_json:
        print_json(found)
        return
    print_table(LISTING, map(listed, found))
    for entry in found:
        for variant, lack in entry.get("left_out", {}).items() if entry["ready"] else ():
            click.echo(f"{entry['study']}/{entry['item']}, without {variant}: {lack['reason']} ({lack['remedy']})")
