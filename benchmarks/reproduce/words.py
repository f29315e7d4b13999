"""A reproduction as people read it."""

from __future__ import annotations

from isoscope.benchmarks.reproduce.result import Reproduction
from isoscope.benchmarks.reproduce.table import COLUMNS, cells, reasons
from isoscope.benchmarks.told import Table, Told


def told(found: Reproduction) -> Told:
    """The settings, every row with its verdict and the reason, and the verdict of all."""
    yield f"{found.recipe}: {found.citation}"
    yield Table(("SETTING", "STUDY", "HERE", "RULE"), tuple((s.name, s.study, s.here, s.rule) for s in found.settings))
    yield ""
    yield Table(COLUMNS, tuple(map(cells, found.rows)))
    yield from reasons(found.rows)
    yield ""
    yield found.sentence
