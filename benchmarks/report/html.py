"""`report.html`: one file that works offline, and the same plots as files beside it."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

from isoscope.benchmarks.harness.terms import Subject, Terms
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.report.fairness import alike, differences
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.host import host_facts
from isoscope.benchmarks.results.files import write_text
from isoscope.benchmarks.results.quantity import MISSING, interval, number, quantity
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.summary import Series, Summary
from isoscope.benchmarks.results.verdict import CLOCK, accelerators, emulated
from isoscope.core.cli.output import printable
from isoscope.core.units import format_duration


def write(directory: Path) -> Path:
    """Write `report.html` and `plots/*.svg` of the run in `directory`. Raises InputError and HostError."""
    run = Run.load(directory)
    figures = {subject.benchmark: _figures(run, subject) for subject in run.terms.subjects}
    plots = directory / "plots"
    plots.mkdir(exist_ok=True)
    for figure in (figure for several in figures.values() for figure in several):
        write_text(plots / f"{figure.name}.svg", figure.alone())
    write_text(directory / "report.html", render(run, figures))
    return directory / "report.html"


def render(run: Run, figures: dict[str, list[Figure]]) -> str:
    """The page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters["quantity"] = quantity
    environment.filters["number"] = number
    environment.filters["interval"] = interval
    environment.filters["duration"] = format_duration
    summary, terms = run.results, run.terms
    here = files("isoscope.benchmarks.report")
    return environment.from_string((here / "report.html").read_text(encoding="utf-8")).render(
        style=Markup((here / "report.css").read_text(encoding="utf-8")),  # noqa: S704 -- ours
        svg=lambda figure: Markup(figure.svg),  # noqa: S704 -- drawn by us, with names escaped
        missing=MISSING,
        summary=summary,
        terms=terms,
        title=", ".join(dict.fromkeys(subject.name for subject in terms.subjects)),
        emulated=emulated(summary),
        accelerators=accelerators(summary),
        clock=CLOCK,
        sections=[_section(summary, subject, figures[subject.benchmark]) for subject in terms.subjects],
        metrics=_metrics(summary),
        alike=alike(terms),
        differences=differences(summary, run.environment),
        host=host_facts(run.environment),
        notes=_notes(run.environment),
        command=command(terms),
    )


def _shown(value: Any) -> Any:
    """What stands for a value on the page: strangers' control characters as escapes, and our markup as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "\n".join(map(printable, value.split("\n")))


def command(terms: Terms) -> str:
    """The command that asks for the same again, seed and all."""
    words = ["isoscope", "compare"]
    names = {subject.workload.name for subject in terms.subjects}
    if len(names) == 1:
        words.append(names.pop() or "WORKLOAD.toml")
    words += [word for variant in terms.variants for word in ("-b", variant)]
    words += [word for subject in terms.subjects for word in ("-m", subject.request)]
    return f"{shlex.join(words)} -n {terms.blocks} --seed {terms.seed}"


def _figures(run: Run, subject: Subject) -> list[Figure]:
    """A benchmark draws its own figures; one that is not installed here draws none."""
    from isoscope.core.plugins import offers, plugin_manager

    found = offers(plugin_manager().hook.isoscope_register_benchmarks, "benchmark")
    return found[subject.benchmark]().figures(run) if subject.benchmark in found else []


def _section(summary: Summary, subject: Subject, figures: list[Figure]) -> dict[str, Any]:
    headline = [(metric, summary.of(subject.benchmark, metric.name, "headline")) for metric in subject.headline]
    harness = [
        one for one in summary.of(subject.benchmark, role="harness") if one.variant == subject.harness and one.values
    ]
    return {
        "subject": subject,
        "baseline": summary.baselines[subject.benchmark],
        "headline": headline,
        "sentences": [_sentence(one) for _, several in headline for one in several if one.values],
        "reasons": _reasons([one for _, several in headline for one in several]),
        "details": summary.of(subject.benchmark, role="detail"),
        "figures": figures,
        "harness": harness,
    }


def _sentence(one: Series) -> str:
    """A series in words."""
    words = f"{one.name}: {one.metric.name} {quantity(one.p50, one.metric.unit)} (p50)"
    if one.ratio is None or one.ratio.value is None:
        return words
    words += f", {number(one.ratio.value)} times that of {one.ratio.to}"
    low, high = one.ratio.interval.low, one.ratio.interval.high
    if low is None or high is None:
        return words
    sure = "" if low > 1 or high < 1 else "; the interval holds 1: no difference was shown"
    return f"{words}, 95 % interval {interval(one.ratio.interval)}{sure}"


def _reasons(series: list[Series]) -> list[str]:
    """Why intervals are missing, each reason once."""
    found = (one.ratio.interval.reason for one in series if one.ratio)
    return [reason for reason in dict.fromkeys(found) if reason]


def _metrics(summary: Summary) -> list[Metric]:
    return list(dict.fromkeys(one.metric for one in summary.series))


def _notes(environment: dict[str, Any]) -> list[str]:
    parts = [*environment.get("earlier", []), environment] if environment else []
    return list(dict.fromkeys(note for part in parts for note in part["notes"]))
