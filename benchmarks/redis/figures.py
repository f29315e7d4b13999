"""The figures of `redis`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.redis.metrics import REQUESTS
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.plots import curve, found, lines

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


def figures(run: Run) -> list[Figure]:
    """A curve for each kind of request."""
    series = found(run, "redis", REQUESTS)
    drawn = [
        curve(
            run,
            lines([one for one in series if one.labels["request"] == request], "connections"),
            x=Axis("connections", "1"),
            y=Axis(REQUESTS.name, "1/s"),
            name=f"redis-{request.lower()}",
            title=f"{request} requests answered a second",
            caption="Clients on the host, without pipelining. Error bars are 95 % intervals.",
        )
        for request in dict.fromkeys(one.labels["request"] for one in series)
    ]
    return [one for one in drawn if one is not None]
