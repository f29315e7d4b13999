"""Prints sections of rows: a mark, a name, a text, and below it what helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from isoscope.core.cli.output import console, printable

if TYPE_CHECKING:
    from isoscope.core.host.summary import Row, Section
    from rich.console import RenderableType
    from rich.table import Table

#: Words, not signs: they survive every encoding, and can be searched for.
_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("", "")}


def print_sections(sections: Sequence[Section]) -> None:
    """Print sections one after the other, wrapped to a terminal, and with one line to a text in a pipe."""
    from rich.console import Group
    from rich.text import Text

    width = max((len(row.name) for section in sections for row in section.rows), default=0)
    parts: list[RenderableType] = []
    for section in sections:
        parts += [Text(section.title, "bold"), _table(section.rows, width), Text()]
    screen = console()
    with screen.capture() as capture:
        screen.print(Group(*parts[:-1]))
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()), color=screen.is_terminal)


def _table(rows: Sequence[Row], width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=4, justify="right")
    grid.add_column(width=width)
    grid.add_column(overflow="fold")
    for row in rows:
        word, style = _MARKS[row.good]
        grid.add_row(Text(word, style), Text(printable(row.name)), Text(printable(row.text)))
        if row.remedy:
            grid.add_row("", "", Text(f"-> {printable(row.remedy)}", "cyan"))
    return grid
