"""The phases of one instance on a linear axis."""

from __future__ import annotations

from itertools import accumulate

from isoscope.benchmarks.report.axes import Axis, scale
from isoscope.benchmarks.report.figure import Figure, canvas, figure
from isoscope.benchmarks.report.plots import WIDTH, legend
from isoscope.benchmarks.startup.look import bar, fills_of, patches
from isoscope.core.timeline import Timeline
from isoscope.core.units import format_duration

#: Moments that the caption tells, in its words.
_MOMENTS = {"ready": "ready", "exit": "ended", "deleted": "all of it gone"}


def draw(timeline: Timeline) -> Figure | None:
    """The plot, None for an instance that is not ready yet."""
    phases = timeline.phases()
    if not phases:
        return None
    edges = [0, *accumulate(phases.values())]
    fills = fills_of(list(phases))
    with canvas(WIDTH, 1.35) as drawn:
        axes = drawn.subplots()
        bar(axes, 0, edges, phases, fills)
        axes.set_xlim(0, edges[-1] * 1.02 or 1)
        scale(axes, "x", Axis("time since start()", "ns"), log=False)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        legend(drawn, patches({f"{phase} {format_duration(phases[phase])}": look for phase, look in fills.items()}))
        return figure(
            drawn,
            name="timeline",
            title="",
            alternative="; ".join(f"{phase} {format_duration(span)}" for phase, span in phases.items()),
            caption=_caption(timeline),
        )


def _caption(timeline: Timeline) -> str:
    spans = {words: timeline.span("start", moment) for moment, words in _MOMENTS.items()}
    parts = [f"{words} after {format_duration(span)}" for words, span in spans.items() if span is not None]
    return f"Phases until ready, counted from `start()`; {', '.join(parts)}."
