"""A run's summary on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity
from isoscope.benchmarks.results.summary import Series, Summary
from isoscope.benchmarks.results.verdict import accelerators
from isoscope.core.cli.output import console, print_table, printable, table
from isoscope.core.units import format_duration


def print_summary(summary: Summary) -> None:
    """Print a table for each headline metric, the phases, what failed, what was not run, and the harness's cost."""
    import click

    for subject in summary.terms.subjects:
        for metric in subject.headline:
            baseline = printable(summary.baselines[subject.benchmark])
            click.echo(f"{metric.name} of {printable(subject.name)}, {metric.direction} is better; ratio to {baseline}")
            _print_metric(summary, subject.benchmark, metric)
            click.echo()
    lines = [*_phases(summary), *_reasons(summary), *_failures(summary), *_not_run(summary), *_harness(summary)]
    for line in [*lines, *accelerators(summary)]:
        click.echo(printable(line))


def _print_metric(summary: Summary, benchmark: str, metric: Metric) -> None:
    baseline = summary.baselines[benchmark]
    _print(
        ("VARIANT", "N", "P50", "P90", "P99", "RATIO", "95 % INTERVAL", "FAILED"),
        (_row(one, baseline) for one in summary.of(benchmark, metric.name, "headline")),
    )


def _print(columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
    """A table whose figures are never cut: on a narrow terminal the variants' names give way."""
    screen = console()
    if not screen.is_terminal:
        print_table(columns, rows)
        return
    made = table(columns, rows)
    made.columns[0].no_wrap, made.columns[0].overflow = False, "fold"
    screen.print(made)


def _row(one: Series, baseline: str) -> tuple[object, ...]:
    unit = one.metric.unit
    percentiles = [quantity(value, unit) for value in (one.p50, one.p90, one.p99)]
    if one.ratio is None or one.ratio.value is None:
        return (
            one.name,
            one.blocks,
            *percentiles,
            "1" if one.blocks and one.variant == baseline else MISSING,
            "",
            one.failed,
        )
    return one.name, one.blocks, *percentiles, number(one.ratio.value), interval(one.ratio.interval), one.failed


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
