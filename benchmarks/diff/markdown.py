"""A difference as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from isoscope.benchmarks.diff.difference import Difference, Line
from isoscope.benchmarks.diff.words import heads, lines_of, notes, warnings
from isoscope.benchmarks.report.gfm import table, text
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity


def render(found: Difference) -> str:
    """Which runs, what is not alike, one table, and what could not be compared."""
    rows = [row for benchmark, lines in lines_of(found).items() for row in _rows(benchmark, lines)]
    parts = [
        "### Two runs of Isoscope",
        "\n".join(f"* {text(line)}" for line in heads(found)),
        "\n".join(["> [!NOTE]", *(f"> {text(line)}" for line in warnings(found))]),
        table(["metric", "variant", "first", "second", "ratio", "95 % interval", "p", "shown"], rows),
        "\n".join(f"* {text(line)}" for line in notes(found)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rows(benchmark: str, lines: list[Line]) -> Iterator[list[str]]:
    for line in lines:
        unit = line.metric.unit
        yield [
            text(line.name if line.name.startswith(benchmark) else f"{benchmark} {line.name}"),
            text(line.who),
            text(quantity(line.first, unit)),
            text(quantity(line.second, unit)),
            MISSING if line.ratio is None else number(line.ratio),
            text(interval(line.interval)) or MISSING,
            MISSING if line.p_value is None else f"{line.p_value:.2g}",
            f"{line.judgement.sign} {text(line.judgement.word)}" if line.judgement else MISSING,
        ]
