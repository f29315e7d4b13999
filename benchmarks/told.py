"""What a command says and a notebook shows: lines, and tables between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import click
from isoscope.core.cli.output import print_table, printable


@dataclass(frozen=True)
class Table:
    """Rows of cells under the names of their columns; None is a cell without a value."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


#: Lines of text and tables, in their order.
Told = Iterable[str | Table]


def print_told(told: Told) -> None:
    """Print it as a command's answer."""
    for part in told:
        if isinstance(part, Table):
            print_table(part.columns, part.rows)
        else:
            click.echo(printable(part))
