"""How commands print: one JSON document, or a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NEVER_WRAP = 10_000  #: columns


def print_json(data: Any) -> None:
    """Print `data` as the one JSON document of this command. What JSON does not know is printed as its text."""
    click.echo(json.dumps(data, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns under their names; see `table`."""
    screen = console()
    if screen.is_terminal:
        screen.print(table(columns, rows))
        return
    with screen.capture() as capture:
        screen.print(table(columns, rows))
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def console() -> Console:
    """Standard output: coloured where it is a terminal, and never wrapped where it is a pipe or a file."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else _NEVER_WRAP)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Aligned columns under their names.

    Cells may come from anybody's workload: they are shown as they are, without markup, and control characters (which
    a terminal would obey) as escapes. None is shown as `-`.
    """
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(Text(column), no_wrap=True)
    for row in rows:
        made.add_row(*(Text(printable("-" if cell is None else str(cell))) for cell in row))
    return made


def printable(text: str) -> str:
    """`text` with every character that is not printable written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
