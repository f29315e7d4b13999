"""manco2017-lightvm/boot: the next start beside those that run, which must not become dearer with them.

Manco et al., My VM is Lighter (and Safer) than your Container, SOSP 2017.
"""

from __future__ import annotations

from statistics import linear_regression
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_BESIDE, _QUICK_BESIDE = (0, 20, 50, 100), (0, 10, 20)


class LightVm(Recipe):
    """One more of a workload that stays, beside none and beside many."""

    study: ClassVar[str] = "manco2017-lightvm"
    item: ClassVar[str] = "boot"
    summary: ClassVar[str] = "start one more while many run: does it become dearer with them?"
    needs: ClassVar[Needs] = Needs(memory=1 << 30, root=True)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        beside = _QUICK_BESIDE if quick else _BESIDE
        return Plan(
            clock="there from the toolstack's create until the guest has booted; here from start() to the first output",
            systems=(
                System("fork-exec", "process", "a process in the image's tree, by a helper that clones it"),
                System("container", "container", "not in the study: ours"),
                System("runc", "oci:runtime=runc", "not in the study: ours"),
            ),
            baseline="fork-exec",
            benchmarks=(f"startup:beside={'+'.join(map(str, beside))}",),
            workload="sleep",
            matches=(
                Match(
                    "noop unikernel, no devices, Xen",
                    "mean",
                    "startup",
                    "startup.ready",
                    {"at_once": 1, "beside": 0},
                    factor=1e-6,
                    statistic="mean",
                    short="start of one, none running",
                ),
            ),
            settings=(
                Setting(
                    "running",
                    "up to 8,000 of Xen's guests",
                    ", ".join(map(str, beside)),
                    "up to as many as a small host starts in seconds; what is looked for is the slope",
                ),
                Setting(
                    "guest", "a unikernel that does nothing", "`sleep` of the image `base`", "there is no Xen here"
                ),
            ),
            trial_seconds=beside[-1] * 0.03,
            left_out={"lightvm": "a toolstack of Xen's, and a unikernel: neither runs on a Linux host"},
        )

    def distributions(self, run: Run) -> list[Figure]:
        from isoscope.benchmarks.report.axes import Axis
        from isoscope.benchmarks.report.plots import Line, curve

        lines, words = [], []
        for system, points in _points(run).items():
            x, y = zip(*sorted(points.items()), strict=True)
            slope, low, high = _slope(run, system)
            span = "" if low is None or high is None else f" [{low / 1e3:.2f}, {high / 1e3:.2f}]"
            words.append(f"{system}: {slope / 1e3:.2f} µs for each that runs{span}")
            fit = linear_regression(x, y)
            ends = (float(x[0]), float(x[-1]))
            lines.append(Line(system, x, y, fit_x=ends, fit_y=[fit.intercept + fit.slope * at for at in ends]))
        drawn = curve(
            run,
            lines,
            x=Axis("already running", log=False),
            y=Axis("start of one more", "ns"),
            name="reproduction-next",
            title="Start of one more against how many run",
            caption="Medians over the blocks and a least-squares line through them, with its slope and that one's 95 % "
            f"interval over the blocks: {'; '.join(words)}. A toolstack's cost must not grow with what runs.",
        )
        return [drawn] if drawn else []


def _rows(run: Run) -> list[tuple[str, int, int, float]]:
    """Variant, block, how many ran, and nanoseconds until ready."""
    frame = run.trials
    good = frame[(frame["metric"] == "startup.ready") & (frame["status"] == "ok") & ~frame["warmup"]]
    good = good[~good["variant"].isin(run.terms.twins)]
    return [
        (str(variant), int(block), int(labels["beside"]), float(value))
        for variant, block, labels, value in zip(
            good["variant"], good["block"], good["labels"], good["value"], strict=True
        )
        if "beside" in labels
    ]


def _points(run: Run) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, list[float]]] = {}
    for variant, _, beside, value in _rows(run):
        found.setdefault(variant, {}).setdefault(beside, []).append(value)
    medians = {name: {at: float(np.median(all_)) for at, all_ in points.items()} for name, points in found.items()}
    return {name: points for name, points in medians.items() if len(points) > 1}


def _slope(run: Run, variant: str) -> tuple[float, float | None, float | None]:
    """The median of the blocks' least-squares slopes, and its 95 % interval where there are blocks enough."""
    from isoscope.benchmarks.results.statistics import median_interval

    blocks: dict[int, list[tuple[int, float]]] = {}
    for name, block, beside, value in _rows(run):
        if name == variant:
            blocks.setdefault(block, []).append((beside, value))
    slopes = np.asarray(
        [linear_regression(*zip(*points, strict=True)).slope for points in blocks.values() if len(points) > 1]
    )
    interval = median_interval(slopes, np.random.default_rng(run.terms.seed))
    return float(np.median(slopes)), interval.low, interval.high
