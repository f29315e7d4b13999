"""A run's summary on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isoscope.benchmarks.harness.terms import Subject
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.results.judgement import judge
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity, under
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.screen import print_figures
from isoscope.benchmarks.results.summary import Series, Summary
from isoscope.benchmarks.results.verdict import verdicts
from isoscope.core.cli.output import printable
from isoscope.core.units import format_duration

_KEY = " (▲ better, ▼ worse, ≈ no difference shown)"


def print_summary(run: Run) -> None:
    """Print a table for each benchmark, then the phases, what failed, what was not run, and the harness's cost."""
    import click

    summary = run.results
    for subject in summary.terms.subjects:
        baseline = printable(summary.baselines[subject.benchmark])
        click.echo(f"{subject.benchmark} of {printable(subject.name)}, ratio to {baseline}{_KEY}")
        _print_benchmark(summary, subject)
        click.echo()
    lines = [*_phases(summary), *_reasons(summary), *_failures(summary), *_not_run(summary), *_harness(summary)]
    for line in [*lines, *verdicts(run), *summary.remarks]:
        click.echo(printable(line))


def _print_benchmark(summary: Summary, subject: Subject) -> None:
    baseline = summary.baselines[subject.benchmark]
    rows = [_row(one, baseline) for metric in subject.headline for one in _in_order(summary, subject, metric)]
    columns = ["METRIC", "VARIANT", "N", "P50", "P90", "P99", "RATIO", "95 % INTERVAL", "", "FAILED"]
    if not any(row[-1] for row in rows):
        columns.pop()
    print_figures(columns, [row[: len(columns)] for row in rows], spare=("P99", "P90", "N"))


def _in_order(summary: Summary, subject: Subject, metric: Metric) -> Iterator[Series]:
    """The series of a metric: under each value of the dimensions, the variants beside each other."""
    series = summary.of(subject.benchmark, metric.name, "headline")
    kinds: list[dict[str, object]] = []
    for one in series:
        if one.labels not in kinds:
            kinds.append(one.labels)
    for labels in kinds:
        yield from (one for one in series if one.labels == labels)


def _row(one: Series, baseline: str) -> tuple[Any, ...]:
    metric = one.metric
    name = metric.name.removeprefix(f"{one.benchmark}.")
    arrow = "↓" if metric.direction is Direction.LOWER else "↑"
    percentiles = [quantity(value, metric.unit) for value in (one.p50, one.p90, one.p99)]
    ratio, span, sign = ("1" if one.values and one.variant == baseline else MISSING), "", ""
    if one.ratio is not None and one.ratio.value is not None:
        judged = judge(metric, one.ratio.interval)
        ratio, span, sign = number(one.ratio.value), interval(one.ratio.interval), judged.sign if judged else ""
    who = f"{one.variant} ({one.accelerator})" if one.accelerator else one.variant
    return f"{name} {arrow} {under(one.labels)}".rstrip(), who, one.blocks, *percentiles, ratio, span, sign, one.failed


def _phases(summary: Summary) -> Iterator[str]:
    """One line for each series: its phases by their medians."""
    for subject in summary.terms.subjects:
        phases = [one for one in summary.of(subject.benchmark, role="detail") if one.metric.name.startswith("phase.")]
        for name in dict.fromkeys(one.name for one in phases):
            parts = [
                f"{one.metric.name.removeprefix('phase.')} {quantity(one.p50, one.metric.unit)}"
                for one in phases
                if one.name == name
            ]
            yield f"phases of {name}: {', '.join(parts)}"


def _reasons(summary: Summary) -> Iterator[str]:
    """Why an interval is missing: for all series the same, so said once."""
    reasons = (one.ratio.interval.reason for one in summary.series if one.ratio and one.role == "headline")
    for reason in dict.fromkeys(reasons):
        if reason:
            yield f"no interval: {reason}"


def _failures(summary: Summary) -> Iterator[str]:
    """What failed, with the first line of the reason: the report has all of it, a guest's console included."""
    for one in summary.failures:
        count = f"{one.measured} trial(s)" + (f" and {one.warmups} warm-up(s)" if one.warmups else "")
        yield f"{one.status}: {one.variant} ({one.benchmark}), {count}: {one.reason.partition(chr(10))[0]}"


def _not_run(summary: Summary) -> Iterator[str]:
    for one in summary.terms.not_run:
        yield f"not run: {one.backend}: {one.reason}" + (f" ({one.hint})" if one.hint else "")


def _harness(summary: Summary) -> Iterator[str]:
    """What a trial costs that runs nothing."""
    for subject in summary.terms.subjects:
        found = {
            one.metric.name: one
            for one in summary.of(subject.benchmark, role="harness")
            if one.variant == subject.harness
        }
        if (trial := found.get(END_OF_TRIAL.name)) and trial.p50 is not None:
            inside = [
                f"{format_duration(found[metric.name].p50 or 0)} of {metric.name}"
                for metric in subject.headline
                if metric.name in found
            ]
            yield f"harness (backend {subject.harness}): {format_duration(trial.p50)} a trial; {', '.join(inside)}"
