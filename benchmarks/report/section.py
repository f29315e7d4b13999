"""What a report says of one benchmark."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isoscope.benchmarks.benchmark import Benchmark
from isoscope.benchmarks.harness.terms import Subject
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.results.judgement import Judgement, judge
from isoscope.benchmarks.results.quantity import under
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.summary import Series

_log = logging.getLogger(__name__)

#: Lines of a table beyond which it is folded away: the plots show it better.
LONG = 12


@dataclass(frozen=True)
class Line:
    """A series in a metric's table."""

    series: Series
    name: str  #: variant and accelerator
    under: str  #: its dimensions; empty when the line above has the same
    judgement: Judgement | None


@dataclass(frozen=True)
class Table:
    """A headline metric of one benchmark."""

    metric: Metric
    lines: tuple[Line, ...]
    dimensions: str  #: what `under` is called; empty when there are none
    intervals: bool  #: whether any ratio has one
    failed: bool  #: whether any trial did
    outliers: bool  #: whether any value lies far out, in enough blocks to say so

    @property
    def long(self) -> bool:
        """Whether it is folded away at first."""
        return len(self.lines) > LONG


@dataclass(frozen=True)
class Section:
    """Everything about one benchmark."""

    subject: Subject
    summary: str  #: what it measures, in a line
    baseline: str
    cautions: tuple[str, ...]
    tables: tuple[Table, ...]
    reasons: tuple[str, ...]  #: why intervals are missing, each once
    figures: tuple[Figure, ...]
    raw: tuple[Series, ...]  #: every series with a value, the harness's own left out


def sections(run: Run) -> list[Section]:
    """One for each benchmark of a run, in its order."""
    return [_section(run, subject) for subject in run.terms.subjects]


def _section(run: Run, subject: Subject) -> Section:
    benchmark = _offered(subject.benchmark)
    summary = run.results
    figures, defects = _figures(run, benchmark) if benchmark else ([], [])
    tables = [_table(run, subject, metric) for metric in subject.headline]
    return Section(
        subject=subject,
        summary=benchmark.summary if benchmark else "",
        baseline=summary.baselines[subject.benchmark],
        cautions=(*cautions(run, subject), *defects),
        tables=tuple(tables),
        reasons=_reasons([line.series for table in tables for line in table.lines]),
        figures=tuple(figures),
        raw=tuple(one for one in summary.of(subject.benchmark) if one.values and one.role != "harness"),
    )


def _offered(name: str) -> Benchmark | None:
    from isoscope.core.plugins import offers, plugin_manager

    found = offers(plugin_manager().hook.isoscope_register_benchmarks, "benchmark")
    return found[name]() if name in found else None


def cautions(run: Run, subject: Subject) -> list[str]:
    """What a reader must know before the figures of a benchmark."""
    benchmark = _offered(subject.benchmark)
    if benchmark is None:
        return ["the benchmark is not installed here, so its cautions and its plots are missing"]
    try:
        return list(benchmark.cautions(run))
    except Exception as error:
        return [_defect("cautions", error)]


def _figures(run: Run, benchmark: Benchmark) -> tuple[list[Figure], list[str]]:
    """A benchmark's plots, and why there are none. A defect in them costs the plots, not the report of a night."""
    try:
        return list(benchmark.figures(run)), []
    except Exception as error:
        return [], [_defect("plots", error)]


def _defect(what: str, error: Exception) -> str:
    _log.debug("the report lacks some %s", what, exc_info=True)
    return f"the {what} of this benchmark could not be made: {type(error).__name__}: {error}"


def _table(run: Run, subject: Subject, metric: Metric) -> Table:
    series = run.results.of(subject.benchmark, metric.name, "headline")
    kinds: list[dict[str, Any]] = []
    for one in series:
        if one.labels not in kinds:
            kinds.append(one.labels)
    lines: list[Line] = []
    for labels in kinds:
        words = under(labels)
        for one in (one for one in series if one.labels == labels):
            name = f"{one.variant} ({one.accelerator})" if one.accelerator else one.variant
            judged = judge(metric, one.ratio.interval) if one.ratio else None
            lines.append(Line(one, name, words, judged))
            words = ""
    return Table(
        metric,
        tuple(lines),
        ", ".join(name for name in subject.dimensions if any(name in labels for labels in kinds)),
        intervals=(sure := any(one.ratio and one.ratio.interval.low is not None for one in series)),
        failed=any(one.failed for one in series),
        outliers=sure and any(one.outliers for one in series),
    )


def _reasons(series: Sequence[Series]) -> tuple[str, ...]:
    found = (one.ratio.interval.reason for one in series if one.ratio)
    return tuple(reason for reason in dict.fromkeys(found) if reason)
