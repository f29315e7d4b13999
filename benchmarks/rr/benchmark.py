"""The benchmark `rr`: netperf's TCP_RR and UDP_RR, with a small program of ours at either end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.accounted import field, malformed, positive, record
from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.network.ends import TO_INSTANCE, Ends, ends_of, free_port
from isoscope.benchmarks.network.tool import Tool
from isoscope.benchmarks.request import BenchmarkOption, count
from isoscope.benchmarks.rr.metrics import LATENCY, TRANSACTIONS
from isoscope.core.units import parse_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_PROGRAM = "rr"  #: images/programs/rr.c
_READY = b'"begin"'
_PROTOCOLS = ("tcp", "udp")
_MOST = 65_000  #: bytes of a request: what a datagram holds
_WARMUP = 0.2  #: seconds


class Rr(Benchmark):
    """The instance is the server, the client a plain process of the host."""

    name: ClassVar[str] = "rr"
    summary: ClassVar[str] = "requests and responses over TCP and UDP, one at a time, from the host to the instance"
    workload: ClassVar[str] = "network"
    headline: ClassVar[tuple[Metric, ...]] = (TRANSACTIONS, LATENCY)
    dimensions: ClassVar[tuple[str, ...]] = ("protocol",)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("request", "bytes of a request", "100", read=partial(count, most=_MOST)),
        BenchmarkOption("response", "bytes of a response", "200", read=partial(count, most=_MOST)),
        BenchmarkOption("duration", "how long over each protocol", "3s", "0.5s", parse_duration),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Transactions a second over each protocol. Raises whatever stops it."""
        with ends_of(trial, (TO_INSTANCE,)) as [ends]:
            for protocol in _PROTOCOLS:
                trial.step(protocol)
                yield from _exchange(trial, ends, protocol)

    def cautions(self, run: Run) -> list[str]:
        """TCG, and that no wire lies between."""
        from isoscope.benchmarks import hazards

        means = "the guest's network stack runs translated"
        return [
            *hazards.translated(run, self.name, means=means),
            "Both ends are on one host, and no wire lies between: what a layer adds weighs more than over a network",
        ]

    def figures(self, run: Run) -> list[Figure]:
        """Transactions a second by protocol."""
        from isoscope.benchmarks.report.plots import bars, found

        drawn = bars(
            run, found(run, self.name, TRANSACTIONS), name="rr", title="Transactions a second", by=("protocol",)
        )
        return [drawn] if drawn else []


def _exchange(trial: Trial, ends: Ends, protocol: str) -> Iterator[Value]:
    seconds = min(_WARMUP, trial.options["duration"]) if trial.warmup else trial.options["duration"]
    port, sizes = str(free_port()), (str(trial.options["request"]), str(trial.options["response"]))
    command = (_PROGRAM, "ask", protocol, ends.address, port, *sizes, str(max(1, round(seconds * 1000))))
    with Tool(ends.server, (_PROGRAM, "serve", protocol, port, *sizes)) as server:
        server.await_output(_READY, trial.timeout)
        with Tool(ends.client, command) as client:
            output = client.result(seconds + trial.timeout)
    trial.keep(f"rr-{protocol}.json", output)
    found = record(output.decode("utf-8", "replace"), _PROGRAM)
    transactions, span = positive(found, "transactions", _PROGRAM), positive(found, "ns", _PROGRAM)
    lost = field(found, "lost", int, _PROGRAM)
    if lost < 0:
        raise malformed(_PROGRAM, json.dumps(found))
    labels: dict[str, Label] = {
        **ends.labels,
        "protocol": protocol,
        "lost": lost,
        "request_bytes": trial.options["request"],
        "response_bytes": trial.options["response"],
        "command": shlex.join(command),
    }
    yield Value(TRANSACTIONS, transactions * 1e9 / span, labels)
    yield Value(LATENCY, span / transactions, labels)
