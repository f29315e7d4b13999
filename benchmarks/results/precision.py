"""How narrow the headline intervals are. A program, too: a harness asks it between two blocks.

python -m isoscope.benchmarks.results.precision DIR
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from isoscope.benchmarks.results.statistics import Interval
from isoscope.benchmarks.results.summary import Precision, Series


def judge(series: Sequence[Series], wanted: float) -> Precision:
    """The widest headline interval against a wanted relative half-width.

    Ratios count; a median counts where there is no ratio, and the baseline's own where nothing is compared with it. A
    series without any value can never have an interval, and does not count.
    """
    found = [one for one in series if one.role == "headline" and one.values]
    compared = {_place(one) for one in found if one.ratio is not None}
    counted = [one for one in found if one.ratio is not None or _place(one) not in compared]
    if not counted:
        return Precision(wanted, False, None, "no headline metric has a value")
    widths = {_name(one): _relative_half_width(one) for one in counted}
    for name, width in widths.items():
        if width is None:
            return Precision(wanted, False, None, name)
    widest = max(widths, key=lambda name: widths[name] or 0.0)
    return Precision(wanted, (widths[widest] or 0.0) <= wanted, widths[widest], widest)


def _place(one: Series) -> tuple[object, ...]:
    return (one.benchmark, one.metric.name, *sorted(one.labels.items()))


def _name(one: Series) -> str:
    of = f"{one.metric.name} of {one.name}"
    return f"{of} to {one.ratio.to}" if one.ratio and one.ratio.value else of


def _relative_half_width(one: Series) -> float | None:
    if one.ratio is not None and one.ratio.value:
        return _relative(one.ratio.interval, one.ratio.value)
    return _relative(one.median_interval, one.p50)  # a ratio to 0 is none


def _relative(interval: Interval, value: float | None) -> float | None:
    if interval.low is None or interval.high is None or value is None:
        return None
    half = (interval.high - interval.low) / 2
    return half / abs(value) if value else (0.0 if half == 0 else None)


def main() -> None:
    """Print the judgement on a run that is being measured."""
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summarize import headlines

    run = Run.load(Path(sys.argv[1]))
    json.dump(asdict(judge(headlines(run), run.terms.precision or 0.0)), sys.stdout)


if __name__ == "__main__":
    main()
