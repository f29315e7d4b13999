"""`figures.csv`: the published figures, a row each. How each was obtained: docs/reference/published-figures.md."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from isoscope.benchmarks.metric import Direction
from isoscope.core.errors import InputError, NotFound

_FIELDS = ("study", "item", "workload", "metric", "unit", "better", "system", "value", "spread", "basis", "where")


class Basis(StrEnum):
    """Where a figure was read, which says how far it can be trusted."""

    RAW_DATA = "raw-data"  #: computed again from the authors' own published measurements
    TEXT = "text"  #: in the source itself
    ABSTRACT = "abstract"  #: in its abstract only
    SECOND_HAND = "second-hand"  #: in another text that quotes it

    @property
    def decides(self) -> bool:
        """Whether a verdict may rest on it."""
        return self is not Basis.SECOND_HAND


@dataclass(frozen=True)
class Published:
    """One figure as it was published, in the study's own words and unit."""

    study: str
    item: str  #: what was compared: `fio`, `boot-serial`
    workload: str
    metric: str
    unit: str
    better: Direction
    system: str  #: what it was measured on, as the study calls it: `native`, `docker-volume`, `kvm`
    value: float
    spread: str  #: as it was given, `1.13 sd`; often empty
    basis: Basis
    where: str  #: in the source

    @property
    def deviation(self) -> float | None:
        """The standard deviation of single measurements in the figure's unit; None where the study gives none."""
        number, _, kind = self.spread.partition(" ")
        return float(number) if kind == "sd" else None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is of within its item: workload, metric and system. No two figures of an item have the same."""
        return self.workload, self.metric, self.system


def figures(study: str | None = None, item: str | None = None) -> tuple[Published, ...]:
    """The figures of a study, or of one item of it, or all, in the order of the file. Raises NotFound for none."""
    found = tuple(one for one in _all() if study in (None, one.study) and item in (None, one.item))
    if not found:
        name = study if item is None else f"{study}/{item}"
        raise NotFound(
            f"there is no published figure of {name!r}", hint=f"there are: {', '.join(map('/'.join, items()))}"
        )
    return found


def items() -> tuple[tuple[str, str], ...]:
    """Study and item of everything of which there are figures, in the order of the file."""
    return tuple(dict.fromkeys((one.study, one.item) for one in _all()))


@cache
def _all() -> tuple[Published, ...]:
    return read((files("isoscope.benchmarks.published") / "figures.csv").read_text(encoding="utf-8"))


def read(text: str) -> tuple[Published, ...]:
    """The figures in the text of a file. Raises InputError, with the line, for what is none or repeats another."""
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != _FIELDS:
        raise InputError("the published figures have other columns", hint=f"they are: {', '.join(_FIELDS)}")
    found: dict[tuple[str, ...], Published] = {}
    for row in reader:
        one = _figure(row, reader.line_num)
        key = (one.study, one.item, *one.key)
        if key in found:
            raise InputError(f"line {reader.line_num} of the published figures repeats another", hint="leave one out")
        found[key] = one
    return tuple(found.values())


def _figure(row: dict[str, Any], line: int) -> Published:
    try:
        if None in row or None in row.values() or not all(row[name] for name in _FIELDS if name != "spread"):
            raise ValueError("it lacks a column, or has one too many")
        value = float(row["value"])
        if not math.isfinite(value) or value == 0:
            raise ValueError(f"{row['value']} is no measure")
        one = Published(**{**row, "better": Direction(row["better"]), "basis": Basis(row["basis"]), "value": value})
        _ = one.deviation
    except ValueError as error:
        raise InputError(f"line {line} of the published figures is none: {error}", hint="mend it") from error
    return one
