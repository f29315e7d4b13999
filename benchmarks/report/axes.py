"""Axes of our units: ticks where people expect them, written as the tables write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from isoscope.benchmarks.report.figure import INK
from isoscope.benchmarks.results.quantity import number, quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.ticker import Locator

#: Greatest over least value beyond which an axis is logarithmic, unless told.
_WIDE = 20.0

#: Prefixes lie this far apart.
_STEPS = {"ns": 1000, "B": 1024, "B/s": 1024}


@dataclass(frozen=True)
class Axis:
    """What an axis shows."""

    label: str
    unit: str = "1"
    log: bool | None = None  #: None: as the values need it

    def logarithmic(self, values: Iterable[float]) -> bool:
        """Whether the axis of these values is logarithmic; never when one is not positive."""
        found = list(values)
        if not found or min(found) <= 0:
            return False
        return self.log if self.log is not None else max(found) / min(found) > _WIDE


def scale(axes: Axes, which: Literal["x", "y"], axis: Axis, *, log: bool) -> None:
    """Scale, ticks, label and grid of one axis. To be called when its limits are known: ticks depend on them."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    ticks = axes.xaxis if which == "x" else axes.yaxis
    ticks.set_major_locator(_log_locator(axis.unit, low, high) if log else _linear_locator(axis.unit, low, high))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: _text(value, axis.unit)))
    ticks.set_minor_formatter(NullFormatter())
    kind = "logarithmic" if which == "x" else "log"  # along the short side there is less room
    ticks.set_label_text(f"{axis.label} ({kind})" if log else axis.label)
    axes.grid(axis=which, color=INK, alpha=0.15, linewidth=0.6)
    axes.set_axisbelow(True)


def _text(value: float, unit: str) -> str:
    """A tick: as the tables write it, without digits that say nothing."""
    if unit in ("1", "1/s"):
        per = " /s" if unit == "1/s" else ""
        if 0 < abs(value) < 1e-3 or abs(value) >= 1e6:
            return f"{number(value)}{per}"
        return f"{value:,.0f}{per}" if abs(value) >= 1000 else f"{value:.3g}{per}"
    return quantity(value, unit) if value else "0"


def _log_locator(unit: str, low: float, high: float) -> Locator:
    from matplotlib.ticker import LogLocator

    if _STEPS.get(unit) == 1024:
        return LogLocator(2 if high / low < 50 else 4, numticks=8)
    return LogLocator(10, subs=(1.0, 2.0, 5.0) if high / low < 50 else (1.0,), numticks=9)


def _linear_locator(unit: str, low: float, high: float) -> Locator:
    """Round figures of the unit that is shown: 0, 256 MiB, 512 MiB, and not 0, 190 MiB, 381 MiB."""
    from matplotlib.ticker import FixedLocator, MaxNLocator, MultipleLocator

    step, size = _STEPS.get(unit, 1000), 1.0
    top = max(abs(low), abs(high))
    while top / size >= step and size < step**4:
        size *= step
    if step == 1024 and top / size >= 16:
        between = size
        while (high - low) / between > 6:
            between *= 2
        return MultipleLocator(between)
    found = [
        float(tick) * size for tick in MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low / size, high / size)
    ]
    return FixedLocator([tick for tick in found if low <= tick <= high])
