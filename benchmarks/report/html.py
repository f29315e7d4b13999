"""`report.html`: one file that works offline, and the same plots as files beside it."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.report.fairness import alike, differences
from isoscope.benchmarks.report.figure import COLOURS, MARKS, shape
from isoscope.benchmarks.report.headline import columns, headline
from isoscope.benchmarks.report.host import glance, host_facts
from isoscope.benchmarks.report.page import command, notes, title
from isoscope.benchmarks.report.section import Section, sections
from isoscope.benchmarks.report.template import environment
from isoscope.benchmarks.results.files import write_text
from isoscope.benchmarks.results.quantity import MISSING
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.summary import Series, Summary
from isoscope.benchmarks.results.verdict import CLOCK, doubtful, verdicts


def write(directory: Path) -> Path:
    """Write `report.html` and `plots/*.svg` of the run in `directory`. Raises InputError and HostError."""
    run = Run.load(directory)
    found = sections(run)
    plots = directory / "plots"
    plots.mkdir(exist_ok=True)
    for figure in (figure for section in found for figure in section.figures):
        write_text(plots / f"{figure.name}.svg", figure.alone())
    write_text(directory / "report.html", render(run, found))
    return directory / "report.html"


def render(run: Run, found: list[Section]) -> str:
    """The page."""
    summary, terms = run.results, run.terms
    text = (files("isoscope.benchmarks.report") / "report.html").read_text(encoding="utf-8")
    return (
        environment()
        .from_string(text)
        .render(
            missing=MISSING,
            p_value=p_value,
            summary=summary,
            terms=terms,
            title=title(run),
            doubtful=doubtful(run),
            verdicts=verdicts(run),
            clock=CLOCK,
            glance=glance(run.environment),
            columns=columns(run),
            colour=lambda place: place % len(COLOURS),
            mark=lambda place: MARKS[shape(place)],
            headline=headline(run),
            unsure=dict.fromkeys(reason for section in found for reason in section.reasons),
            sections=found,
            metrics=_metrics(summary),
            alike=alike(terms),
            differences=differences(summary, run.environment),
            harness=_harness(summary),
            host=host_facts(run.environment),
            notes=notes(run.environment),
            command=command(terms),
        )
    )


def p_value(value: float | None) -> str:
    """A p-value to two digits; a dash for none."""
    return MISSING if value is None else f"{value:.2g}"


def _metrics(summary: Summary) -> list[Metric]:
    return list(dict.fromkeys(one.metric for one in summary.series))


def _harness(summary: Summary) -> list[Series]:
    """What the harness itself costs: a whole trial that runs nothing, and its share of each headline metric."""
    hidden = {subject.benchmark: subject.harness for subject in summary.terms.subjects}
    return [
        one
        for one in summary.series
        if one.role == "harness"
        and one.values
        and one.variant == hidden[one.benchmark]
        and not one.metric.name.startswith("phase.")
    ]
