"""How phases look, the same in the figures of a run and in the timeline of one instance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.report.figure import INK, clean
from isoscope.benchmarks.startup.metrics import PHASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

#: Fill and hatch of each phase. Container and VM share hues that never stand in one bar.
_FILLS = {
    "cgroup": ("#e69f00", ""),
    "network": ("#56b4e9", ""),
    "clone": ("#009e73", ""),
    "rootfs": ("#f0e442", ""),
    "define": ("#e69f00", "//"),
    "vmm": ("#d55e00", ""),
    "kernel": ("#0072b2", ""),
    "init": ("#cc79a7", ""),
    "exec": ("#9aa0a6", ""),
    "ready": ("#d5d8dc", ".."),
}
_OTHERS = (("#56b4e9", "\\\\"), ("#009e73", "\\\\"), ("#cc79a7", "\\\\"), ("#d55e00", "\\\\"))


def bar(axes: Axes, row: int, edges: Any, phases: Iterable[str], fills: dict[str, tuple[str, str]]) -> None:
    """A row of phases, each from its edge to the next."""
    for phase, start, end in zip(phases, edges, edges[1:], strict=False):
        colour, hatch = fills[phase]
        axes.barh(row, end - start, left=start, height=0.62, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.5)


def fills_of(phases: list[str]) -> dict[str, tuple[str, str]]:
    """The look of every phase that occurs, ours in the order of the registry, then those of strangers."""
    found = dict.fromkeys([*(name for name in PHASES if name in phases), *phases])
    others = [name for name in found if name not in _FILLS]
    return {name: _FILLS.get(name) or _OTHERS[others.index(name) % len(_OTHERS)] for name in found}


def patches(fills: dict[str, tuple[str, str]]) -> list[Patch]:
    """The legend."""
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor=INK, linewidth=0.5, label=clean(phase))
        for phase, (colour, hatch) in fills.items()
    ]
