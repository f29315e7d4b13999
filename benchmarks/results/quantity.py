"""Values of metrics as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isoscope.core.units import format_duration, format_size

if TYPE_CHECKING:
    from isoscope.benchmarks.results.statistics import Interval

MISSING = "–"

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit: `3.2 ms`, `1.5 GiB/s`, `420 /s`; a dash for a missing one."""
    if value is None:
        return MISSING
    if unit == "ns":
        return format_duration(value)
    if unit == "B":
        return format_size(value)
    if unit == "B/s":
        return f"{format_size(value)}/s"
    return f"{number(value)} /s" if unit == "1/s" else number(value)


def number(value: float) -> str:
    """Three significant digits, and every one of a whole number below a million: `0.0123`, `1.00`, `1234`, `2×10⁹`."""
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return power if mantissa == "1.00" else f"{mantissa.rstrip('0').rstrip('.')}×{power}"
    return f"{value:.0f}" if size >= 1000 else f"{value:#.3g}".rstrip(".")


def interval(found: Interval) -> str:
    """`[0.98, 1.12]`, or nothing when there is none."""
    if found.low is None or found.high is None:
        return ""
    return f"[{number(found.low)}, {number(found.high)}]"


def under(labels: dict[str, Any]) -> str:
    """The dimensions of a series in words: the value alone where there is only one, and it is a word."""
    if len(labels) == 1 and not isinstance(alone := next(iter(labels.values())), int | float):
        return str(alone)
    return ", ".join(f"{key} {value}" for key, value in labels.items())
