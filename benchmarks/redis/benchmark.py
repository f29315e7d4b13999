"""The benchmark `redis`: clients on the host ask a server in the instance, with more and more connections."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.network.ends import TO_INSTANCE, Ends, ends_of, free_port
from isoscope.benchmarks.network.tool import Tool
from isoscope.benchmarks.redis import tool
from isoscope.benchmarks.redis.metrics import LATENCY_P50, LATENCY_P99, REQUESTS
from isoscope.benchmarks.request import BenchmarkOption, count, counts

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_SLOWEST = 100.0  #: requests a second at which a client is done in time, or the trial has failed
_MOST_CONNECTIONS = 1000
_WARMUP = 500  #: requests of the one client of a warm-up


class Redis(Benchmark):
    """Client and server share the host's CPUs: a figure is of both."""

    name: ClassVar[str] = "redis"
    summary: ClassVar[str] = "small requests over TCP to a store in memory, by the number of connections"
    workload: ClassVar[str] = "redis"
    headline: ClassVar[tuple[Metric, ...]] = (REQUESTS,)
    details: ClassVar[tuple[Metric, ...]] = (LATENCY_P50, LATENCY_P99)
    dimensions: ClassVar[tuple[str, ...]] = ("request", "connections")
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "connections",
            f"how many at a time, with + between them, each at most {_MOST_CONNECTIONS}",
            "1+10+50",
            read=partial(counts, most=_MOST_CONNECTIONS),
        ),
        BenchmarkOption("requests", "how many of each kind", "10000", "1000", count),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Requests a second for each number of connections. Raises whatever stops it."""
        with ends_of(trial, (TO_INSTANCE,)) as [ends]:
            port = free_port()
            with Tool(ends.server, tool.server(ends.address, port)) as server:
                server.await_output(tool.READY, trial.timeout)
                wanted: tuple[int, ...] = trial.options["connections"]
                for connections in wanted[:1] if trial.warmup else wanted:
                    yield from _ask(trial, ends, port, connections)

    def cautions(self, run: Run) -> list[str]:
        """TCG, and the CPUs that both ends share."""
        from isoscope.benchmarks import hazards

        means = "the guest's network stack runs translated"
        return [
            *hazards.translated(run, self.name, means=means),
            "The clients run on the host beside the server and take their share of its CPUs",
        ]

    def figures(self, run: Run) -> list[Figure]:
        """Requests a second by the number of connections."""
        from isoscope.benchmarks.redis.figures import figures

        return figures(run)


def _ask(trial: Trial, ends: Ends, port: int, connections: int) -> Iterator[Value]:
    requests = min(_WARMUP, trial.options["requests"]) if trial.warmup else trial.options["requests"]
    command = tool.client(ends.address, port, connections=connections, requests=requests)
    trial.step(f"{connections} connections")
    with Tool(ends.client, command) as client:
        output = client.result(trial.timeout + len(tool.COMMANDS) * requests / _SLOWEST)
    trial.keep(f"redis-{connections}.csv", output)
    for request, found in tool.read(output.decode("utf-8", "replace")).items():
        labels: dict[str, Label] = {
            **ends.labels,
            "request": request,
            "connections": connections,
            "command": shlex.join(command),
        }
        yield Value(REQUESTS, found.rate, labels)
        yield Value(LATENCY_P50, found.p50, labels)
        yield Value(LATENCY_P99, found.p99, labels)
