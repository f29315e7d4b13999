"""The command `diff`."""

from __future__ import annotations

from pathlib import Path

import click
from isoscope.core.cli.context import json_option
from isoscope.core.cli.output import print_json


@click.command()
@click.argument("first", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("second", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--anyway", is_flag=True, help="Compare runs of unlike hosts, versions or terms all the same.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "md"]),
    default="table",
    show_default=True,
    help="A table for the terminal, or Markdown for a pull request.",
)
@json_option
def diff(first: Path, second: Path, anyway: bool, form: str, as_json: bool) -> None:
    """Compare two runs: for each variant and metric, how many times the first one's median the second one's is.

    For example before and after a change, or on two hosts. Refused when the runs were not made alike, and it says in
    what: CPU, kernel, memory, QEMU, governor, mitigations, image, workload, options, resources, isoscope. The status
    is 0 whatever was found.
    """
    from isoscope.benchmarks.diff.difference import compare
    from isoscope.benchmarks.results.run import Run

    found = compare(Run.load(first), Run.load(second), anyway=anyway)
    if as_json:
        print_json(found.as_dict())
    elif form == "md":
        from isoscope.benchmarks.diff.markdown import render

        click.echo(render(found), nl=False)
    else:
        from isoscope.benchmarks.diff.table import print_difference

        print_difference(found)
