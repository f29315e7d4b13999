"""`isoscope doctor` and `isoscope backends`: what this host can do, and what each backend makes of it."""

from __future__ import annotations

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this host can do, what each backend lacks, and how to get it.

    Everything is tried anew, by doing it; nothing is taken from earlier commands. The exit status is 0, whatever is
    found.
    """
    from isoscope.core.cli import diagnosis, sheet
    from isoscope.core.host.summary import sections

    lab = current_lab()
    lab.host.refresh()
    lab.host.probe()
    backends = diagnosis.examine(lab)
    if as_json:
        print_json({"host": lab.host.as_dict(), "backends": [diagnosis.verdict(backend) for backend in backends]})
    else:
        sheet.print_sections([*sections(lab.host), diagnosis.backend_section(backends)])


@click.command()
@json_option
def backends(as_json: bool) -> None:
    """List the backends, what each can do, and whether it is ready here."""
    from isoscope.core.cli import diagnosis, sheet

    examined = diagnosis.examine(current_lab())
    if as_json:
        print_json([diagnosis.description(backend) for backend in examined])
    else:
        sheet.print_sections([diagnosis.description_section(backend) for backend in examined])
