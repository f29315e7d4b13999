"""A study's distribution beside ours: which share of the values was at most so great."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.report.figure import INK, Figure, canvas, clean, figure, looks_of
from isoscope.benchmarks.report.plots import WIDTH, legend
from isoscope.benchmarks.reproduce.offer import offered
from isoscope.benchmarks.reproduce.request import Asked
from isoscope.benchmarks.reproduce.series import Values
from isoscope.benchmarks.results.quantity import number

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.recipe import Match
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.statistics import Floats

_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def cdfs(run: Run, axis: str) -> list[Figure]:
    """A figure for each of the plan's workloads of which a median was published. `axis` is what the study calls it."""
    asked = Asked.of(run)
    matches = {match.workload: match for match in asked.plan.matches if match.metric == "p50"}
    drawn = [_cdf(run, asked, match, f"reproduction-cdf-{place}", axis) for place, match in enumerate(matches.values())]
    return [one for one in drawn if one is not None]


def _cdf(run: Run, asked: Asked, match: Match, name: str, axis: str) -> Figure | None:
    there: dict[str, dict[float, float]] = {}
    unit = ""
    for one in offered(asked.recipe).published():
        if one.workload == match.workload and one.metric in _PERCENTILES:
            there.setdefault(one.system, {})[_PERCENTILES[one.metric]] = one.value
            unit = one.unit
    here = dict(_here(run, asked, match))
    if not here:
        return None
    known = looks_of(dict.fromkeys([*here, *there]))
    label = f"{axis}, {unit}"
    with canvas(WIDTH, 3.4) as drawn:
        left, right = drawn.subplots(1, 2, sharey=True)
        for system, points in there.items():
            left.plot(list(points.values()), list(points), markersize=5, label=clean(system), **known[system].line)
        for system, (values, _) in here.items():
            right.step(
                np.append(values[0], values),
                np.append(0, np.arange(1, len(values) + 1) / len(values)),
                where="post",
                markersize=5,
                markevery=max(1, len(values) // 8),
                **known[system].line,
            )
        for axes, title in ((left, "published: p50, p90, p99"), (right, "here: every value")):
            axes.set_title(title, fontsize=9)
            axes.set_xlim(0, None)
            axes.set_xlabel(label)
            axes.grid(color=INK, alpha=0.15, linewidth=0.6)
        left.set_ylim(0, 1.05)
        left.set_ylabel("CDF")
        legend(drawn, left.get_legend_handles_labels()[0])
        emulated = [system for system, (_, accelerator) in here.items() if accelerator == "tcg"]
        caution = f" Here {', '.join(emulated)} ran under TCG: not KVM's figures." if emulated else ""
        words = "; ".join(
            f"{system}: half at most {number(points[0.5])} there"
            + (f", {number(float(np.median(here[system][0])))} here" if system in here else "")
            for system, points in there.items()
            if 0.5 in points
        )
        return figure(
            drawn,
            name=name,
            title=f"{match.short}: distribution",
            alternative=f"Cumulative distributions of {label}, published and here. {words}.",
            caption=f"The two scales differ: what is to be compared is how the systems stand to each other.{caution}",
        )


def _here(run: Run, asked: Asked, match: Match) -> Mapping[str, tuple[Floats, str]]:
    found = {}
    for system in asked.plan.systems:
        values = Values(run, match, system.variant)
        if values.blocks:
            found[system.name] = (np.sort(values.whole()) * match.factor, "".join(values.accelerators))
    return found
