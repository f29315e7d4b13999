"""A difference on the terminal."""

from __future__ import annotations

from isoscope.benchmarks.diff.difference import Difference, Line
from isoscope.benchmarks.diff.words import heads, lines_of, notes, warnings
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity
from isoscope.benchmarks.results.screen import print_figures
from isoscope.core.cli.output import printable


def print_difference(found: Difference) -> None:
    """Print which runs, what is not alike, a table for each benchmark, and what could not be compared."""
    import click

    for line in (*heads(found), *warnings(found)):
        click.echo(printable(line))
    for benchmark, lines in lines_of(found).items():
        click.echo(f"\n{printable(benchmark)}: second run over first (▲ better, ▼ worse, ≈ no difference shown)")
        columns = ("METRIC", "VARIANT", "FIRST", "SECOND", "RATIO", "95 % INTERVAL", "", "P", "SHOWN")
        print_figures(columns, map(_row, lines), spare=("P", "SHOWN"))
    click.echo()
    for line in notes(found):
        click.echo(printable(line))


def _row(line: Line) -> tuple[object, ...]:
    unit = line.metric.unit
    return (
        line.name.removeprefix(f"{line.benchmark}."),
        line.who,
        quantity(line.first, unit),
        quantity(line.second, unit),
        MISSING if line.ratio is None else number(line.ratio),
        interval(line.interval) or MISSING,
        line.judgement.sign if line.judgement else "",
        MISSING if line.p_value is None else f"{line.p_value:.2g}",
        line.judgement.word if line.judgement else MISSING,
    )
