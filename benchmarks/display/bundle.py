"""What a notebook shows of one object: HTML, with every stranger's text in it escaped."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any

from isoscope.core.host import Host
from isoscope.core.host.summary import sections
from isoscope.core.plan import Plan
from isoscope.core.result import Result
from isoscope.core.timeline import Timeline

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.told import Told


def bundle(shown: Any) -> dict[str, str] | None:
    """MIME type to text, as IPython's rich display has it; None for what we cannot show, or not without the extra."""
    for kind, show in _SHOWN.items():
        if isinstance(shown, kind):
            try:
                return {"text/html": show(shown)}
            except ModuleNotFoundError:  # jinja2 and matplotlib come with the extra `compare`
                return None
    return None


def run_html(run: Run) -> str:
    """What a run found: the verdicts, the table of all benchmarks, what failed, and the plots."""
    from isoscope.benchmarks.report.figure import COLOURS, MARKS, shape
    from isoscope.benchmarks.report.headline import columns, headline
    from isoscope.benchmarks.report.page import notes
    from isoscope.benchmarks.results.verdict import doubtful, verdicts

    return _render(
        "run",
        run=run,
        summary=run.results,
        verdicts=verdicts(run),
        doubtful=doubtful(run),
        notes=notes(run.environment),
        columns=columns(run),
        headline=headline(run),
        figures=list(run.figures.values()),
        mark=lambda place: (COLOURS[place % len(COLOURS)], MARKS[shape(place)]),
    )


def figures_html(figures: Any) -> str:
    """Plots below each other, each with its title and how to read it."""
    return _render("plots", figures=figures)


def told_html(told: Told, figures: Any = ()) -> str:
    """What a command says, its tables as such, and plots below it."""
    parts = [(is_text, list(group)) for is_text, group in groupby(told, lambda part: isinstance(part, str))]
    return _render("told", parts=parts, figures=figures)


def _result(result: Result) -> str:
    from isoscope.benchmarks.display.timeline import draw
    from isoscope.core.units import format_duration, format_size

    stats = result.stats
    used = {
        "CPU time": None if stats.cpu_ns is None else format_duration(stats.cpu_ns),
        "most memory": None if stats.memory_peak is None else format_size(stats.memory_peak),
    }
    facts = {**{name: text for name, text in used.items() if text}, **result.proof}
    return _render("result", result=result, drawn=draw(result.timeline), facts=facts)


def _plan(plan: Plan) -> str:
    return _render("plan", plan=plan)


def _timeline(timeline: Timeline) -> str:
    from isoscope.benchmarks.display.timeline import draw

    return _render("timeline", drawn=draw(timeline), told=repr(timeline))


def _host(host: Host) -> str:
    return _render("host", sections=sections(host))


_SHOWN: dict[type, Callable[[Any], str]] = {Result: _result, Plan: _plan, Timeline: _timeline, Host: _host}


def _render(kind: str, **values: Any) -> str:
    """One of the blocks of `display.html`, with the style that it needs."""
    from isoscope.benchmarks.report.template import environment
    from markupsafe import Markup

    here = files("isoscope.benchmarks.display")
    template = environment().from_string((here / "display.html").read_text(encoding="utf-8"))
    style = Markup((here / "display.css").read_text(encoding="utf-8"))  # noqa: S704 -- ours
    return template.render(kind=kind, style=style, **values)
