"""Tables of figures on a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isoscope.core.cli.output import console, print_table, table

_Rows = list[tuple[object, ...]]


def print_figures(columns: Sequence[str], rows: Iterable[Sequence[object]], *, spare: Sequence[str] = ()) -> None:
    """Print a table whose figures are never cut. The first two columns are names: of a group of rows, and of each.

    A group's name stands once. On a narrow terminal the columns of `spare` are left out, one after another; where that
    is not enough, groups get lines of their own, and names are folded.
    """
    found = [tuple(row) for row in rows]
    screen = console()
    if not screen.is_terminal:
        print_table(columns, _once(found))
        return
    kept = list(range(len(columns)))
    for name in spare:
        if _needed(columns, found, kept) > screen.width:
            kept.remove(columns.index(name))
    heads = [columns[place] for place in kept]
    body = [tuple(row[place] for place in kept) for row in _once(found)]
    narrow = _needed(columns, found, kept) > screen.width
    if narrow:
        heads, body = heads[1:], _under_groups(body)
    made = table(heads, body)
    if narrow:
        made.padding = (0, 2, 0, 0)
    for column in made.columns[: 1 if narrow else 2]:
        column.no_wrap, column.overflow = False, "fold"
    screen.print(made)


def _once(rows: _Rows) -> _Rows:
    """The same rows, each group's name in its first one only."""
    before: object = None
    found = []
    for row in rows:
        found.append(("" if row[0] == before else row[0], *row[1:]))
        before = row[0]
    return found


def _under_groups(rows: _Rows) -> _Rows:
    """A line for each group's name, and its rows below it."""
    found: _Rows = []
    for name, *rest in rows:
        if name:
            found.append((name, *[""] * (len(rest) - 1)))
        found.append((f"  {rest[0]}", *rest[1:]))
    return found


def _needed(columns: Sequence[str], rows: _Rows, kept: list[int]) -> int:
    from rich.cells import cell_len

    widths = [max(cell_len(str(cell)) for cell in (columns[place], *(row[place] for row in rows))) for place in kept]
    return sum(widths) + 3 * (len(widths) - 1)
