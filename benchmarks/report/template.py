"""What every page of ours is rendered with: whatever is no markup of our own is escaped."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.results.quantity import interval, number, quantity
from isoscope.core.cli.output import printable
from isoscope.core.units import format_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from jinja2 import Environment


def environment() -> Environment:
    """Jinja's, with our filters and style sheet; a name that is not given is an error."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=shown)
    made.filters |= {
        "quantity": quantity,
        "number": number,
        "interval": interval,
        "duration": format_duration,
        "coded": _coded,
        "breakable": _breakable,
        "svg": _svg,
    }
    style = (files("isoscope.benchmarks.report") / "report.css").read_text(encoding="utf-8")
    made.globals["style"] = Markup(style)  # noqa: S704 -- ours
    return made


def shown(value: Any) -> Any:
    """What stands for a value on the page: strangers' control characters as escapes, and our markup as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return re.sub("[^\n\t]+", lambda run: printable(run[0]), value)


def _svg(figure: Figure) -> Any:
    from markupsafe import Markup

    return Markup(figure.svg)  # noqa: S704 -- drawn by us, with names escaped


def _coded(text: str) -> Any:
    """A sentence of a benchmark in which `this` is code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(shown(text)))))  # noqa: S704 -- escaped above


def _breakable(name: str) -> Any:
    """A name that may be broken behind what joins its parts: those of a metric, or a variant's options."""
    from markupsafe import Markup

    return Markup("<wbr>").join(re.split("(?<=[_:=,])", str(shown(name))))
