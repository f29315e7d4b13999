"""The first table: every benchmark's headline metrics by variant, with the ratio to the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from isoscope.benchmarks.harness.terms import Subject
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.results.judgement import Judgement, judge, together
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity, under
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.summary import Series

#: Values of a metric's dimensions beyond which one row stands for all of them; its section has each.
FOLD = 4


@dataclass(frozen=True)
class Column:
    """A variant on one accelerator."""

    variant: str
    accelerator: str

    @property
    def name(self) -> str:
        """As the tables write it."""
        return f"{self.variant} ({self.accelerator})" if self.accelerator else self.variant


@dataclass(frozen=True)
class Cell:
    """What one variant reached: a value and its ratio to the baseline, in words ready to be shown."""

    value: str = MISSING
    ratio: str = ""
    interval: str = ""
    judgement: Judgement | None = None
    baseline: bool = False
    missing: str = ""  #: why there is no value
    unsure: str = ""  #: why there is a ratio and no interval


@dataclass(frozen=True)
class Row:
    """One metric, under one value of each dimension or folded over all of them."""

    metric: Metric
    under: str  #: the dimensions, or how many are folded
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """The rows of one benchmark."""

    benchmark: str
    baseline: str
    rows: tuple[Row, ...]


def columns(run: Run) -> tuple[Column, ...]:
    """A column for each variant; two where it ran on two accelerators."""
    found: dict[str, set[str]] = {variant: set() for variant in run.terms.variants}
    for one in run.results.series:
        if one.role != "harness" and one.accelerator and one.variant in found:
            found[one.variant].add(one.accelerator)
    return tuple(Column(variant, name) for variant, names in found.items() for name in sorted(names) or [""])


def headline(run: Run) -> tuple[Group, ...]:
    """A group of rows for each benchmark."""
    return tuple(
        Group(subject.benchmark, run.results.baselines[subject.benchmark], tuple(_rows(run, subject)))
        for subject in run.terms.subjects
    )


def _rows(run: Run, subject: Subject) -> Iterator[Row]:
    places = columns(run)
    for metric in subject.headline:
        series = run.results.of(subject.benchmark, metric.name, "headline")
        kinds: list[dict[str, Any]] = []
        for one in series:
            if one.values and one.labels not in kinds:
                kinds.append(one.labels)
        if len(kinds) > FOLD:
            cells = [_folded(run, metric, _of(series, column), column) for column in places]
            yield Row(metric, f"{len(kinds)} × {', '.join(kinds[0])}", tuple(cells))
            continue
        for labels in kinds or [{}]:
            found = [one for one in series if one.labels == labels or not one.values]
            cells = [_cell(run, metric, _of(found, column), column, labels) for column in places]
            yield Row(metric, under(labels), tuple(cells))


def _of(series: Sequence[Series], column: Column) -> list[Series]:
    """A variant's series. What tells no accelerator, as a failure does not, stands with the variant's only one."""
    own = [one for one in series if one.variant == column.variant]
    exact = [one for one in own if one.accelerator == column.accelerator]
    return exact or [one for one in own if not one.accelerator]


def _cell(run: Run, metric: Metric, series: list[Series], column: Column, labels: dict[str, Any]) -> Cell:
    found = next((one for one in series if one.values), None)
    if found is None:
        told = next((one.reason for one in series if one.reason), None)
        return Cell(missing=told or why(run, metric, column.variant, labels))
    value = quantity(found.p50, metric.unit)
    if found.ratio is None:
        return Cell(value, baseline=found.variant == run.results.baselines[found.benchmark])
    if found.ratio.value is None:
        return Cell(value, unsure=found.ratio.interval.reason or "")
    return Cell(
        value,
        ratio=f"× {number(found.ratio.value)}",
        interval=interval(found.ratio.interval),
        judgement=judge(metric, found.ratio.interval),
        unsure=found.ratio.interval.reason or "",
    )


def _folded(run: Run, metric: Metric, series: list[Series], column: Column) -> Cell:
    """The least and the greatest of a metric's values and ratios; how many of them differ."""
    found = [one for one in series if one.values]
    if not found:
        return _cell(run, metric, series, column, {})
    value = _span(sorted((one.p50 or 0.0, quantity(one.p50, metric.unit)) for one in found))
    ratios = sorted((one.ratio.value, number(one.ratio.value)) for one in found if one.ratio and one.ratio.value)
    if not ratios:
        return Cell(value, baseline=found[0].variant == run.results.baselines[found[0].benchmark])
    judged = [judge(metric, one.ratio.interval) for one in found if one.ratio]
    reasons = [one.ratio.interval.reason for one in found if one.ratio and one.ratio.interval.reason]
    return Cell(
        value,
        ratio=f"× {_span(ratios)}",
        judgement=together(judged),
        unsure=reasons[0] if reasons else "",
    )


def _span(texts: list[tuple[float, str]]) -> str:
    first, last = texts[0][1], texts[-1][1]
    return first if first == last else f"{first} … {last}"


def why(run: Run, metric: Metric, variant: str, labels: dict[str, Any]) -> str:
    """Why a variant has no value under these labels: what its rows say, or that there are none."""
    frame = run.trials
    rows = frame[(frame["metric"] == metric.name) & (frame["variant"] == variant) & (frame["status"] != "ok")]
    for told, reason in zip(rows["labels"], rows["reason"], strict=True):
        if all(told.get(key, value) == value for key, value in labels.items()):
            return str(reason)
    return "not measured"
