"""The command `advise`."""

from __future__ import annotations

from pathlib import Path

import click
from isoscope.benchmarks.runs import runs_option
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json


@click.command()
@click.argument("workload", required=False)
@runs_option
@click.option(
    "--explain", is_flag=True, help="Show every rule, fired or not, and everything that meets the requirements."
)
@json_option
def advise(workload: str | None, folders: tuple[Path, ...], explain: bool, as_json: bool) -> None:
    """Say which backend suits a workload, what it would cost, and what that rests on.

    WORKLOAD is a registered name or a TOML file, whose tables [profile] and [requirements] say what it does and
    demands. Without one, and on a terminal, questions are asked. Requirements exclude backends; costs measured on this
    host rank the others, and where there are none, published ones do, marked so. Nothing is started.
    """
    from isoscope.benchmarks.advise import advice
    from isoscope.benchmarks.advise.questions import ask
    from isoscope.benchmarks.advise.words import told
    from isoscope.benchmarks.told import print_told

    lab = current_lab()
    found = advice.advise(lab, ask(lab) if workload is None else workload, runs=folders)
    if as_json:
        print_json(found.as_dict())
    else:
        print_told(told(found, explain=explain))
