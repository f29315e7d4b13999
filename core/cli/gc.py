"""`isoscope gc`: remove what dead processes left behind."""

from __future__ import annotations

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json, printable


@click.command()
@json_option
def gc(as_json: bool) -> int:
    """Remove whatever a crash left behind. What belongs to a living process, and stopped instances, stay.

    Ends with status 1 when something could not be removed.
    """
    lines = current_lab().gc()
    if as_json:
        print_json(lines)
    else:
        for line in lines:
            click.echo(printable(line))
    return int(any(line.startswith("kept ") for line in lines))
