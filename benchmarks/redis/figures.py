"""The figures of `redis`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.redis.metrics import REQUESTS
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.plots import Line, curve, found, who
from isoscope.benchmarks.results.summary import Series

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def figures(run: Run) -> list[Figure]:
    """A curve for each kind of request."""
    series = found(run, "redis", REQUESTS)
    drawn = []
    for request in dict.fromkeys(one.labels["request"] for one in series):
        lines: dict[str, list[Series]] = {}
        for one in sorted(series, key=lambda one: int(one.labels["connections"])):
            if one.labels["request"] == request:
                lines.setdefault(who(one), []).append(one)
        drawn.append(
            curve(
                run,
                [_line(name, points) for name, points in lines.items()],
                x=Axis("connections", "1"),
                y=Axis(REQUESTS.name, "1/s"),
                name=f"redis-{request.lower()}",
                title=f"{request} requests answered a second",
                caption="Clients on the host, without pipelining. Error bars are 95 % intervals.",
            )
        )
    return [one for one in drawn if one is not None]


def _line(name: str, points: list[Series]) -> Line:
    values = [(one.p50 or 0.0, one.median_interval) for one in points]
    whole = all(span.low is not None for _, span in values)
    return Line(
        name,
        [float(one.labels["connections"]) for one in points],
        [value for value, _ in values],
        [span.low or 0.0 for _, span in values] if whole else None,
        [span.high or 0.0 for _, span in values] if whole else None,
    )
