"""The benchmark `network`: how fast and how soon, by path, and what the host's processors spend on it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from time import sleep
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.network import iperf3, pingpong
from isoscope.benchmarks.network.activity import Activity, Moment
from isoscope.benchmarks.network.costs import Done
from isoscope.benchmarks.network.ends import TO_HOST, Ends, ends_of, free_port, paths
from isoscope.benchmarks.network.exchange import Exchange, Outcome
from isoscope.benchmarks.network.metrics import (
    BACKGROUND,
    BYTE,
    DETAILS,
    HEADLINE,
    LATENCY,
    PACKETS,
    THROUGHPUT,
    TRANSACTION,
    TRANSACTIONS,
)
from isoscope.benchmarks.request import BenchmarkOption, count, counts
from isoscope.core.units import parse_size

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.core.instance import Instance

#: The values of a test; in the end, the packets that its server's own device counted.
_Counted = Generator[Value, None, int]


class Network(Benchmark):
    """Bulk transfer, and requests one at a time, between the host and an instance and between two instances."""

    name: ClassVar[str] = "network"
    summary: ClassVar[str] = "TCP throughput, latency with its tail, and the CPU time that each byte and request costs"
    workload: ClassVar[str] = "network"
    headline: ClassVar[tuple[Metric, ...]] = HEADLINE
    details: ClassVar[tuple[Metric, ...]] = DETAILS
    dimensions: ClassVar[tuple[str, ...]] = ("path", "streams")
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("duration", "seconds of each test", "10", quick="1", read=count),
        BenchmarkOption("streams", "TCP connections of the bulk transfer; several numbers as 1+10", "1", read=counts),
        BenchmarkOption("size", "bytes of a request, and of its reply", "100", read=parse_size),
        BenchmarkOption("paths", "which paths, joined by +", "all", read=paths),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Every path in turn, with the same instances. A warm-up is a second of bulk transfer on the first path."""
        wanted = trial.options["paths"][:1] if trial.warmup else trial.options["paths"]
        several = trial.options["streams"][:1] if trial.warmup else trial.options["streams"]
        seconds = 1 if trial.warmup else trial.options["duration"]
        trial.step("starting")
        with ends_of(trial, wanted) as found:
            before: dict[Instance, Activity] = {}  # by the client: the server is the same on all paths
            for ends in found:
                if ends.client not in before:
                    before[ends.client] = _background(ends, seconds)
                    yield Value(BACKGROUND, before[ends.client].usage.host_share, ends.labels)
                background = before[ends.client]
                packets = 0
                for streams in several:
                    trial.step(f"{ends.path}: throughput")
                    packets += yield from _throughput(trial, ends, seconds, streams, background)
                if ends.path != TO_HOST and not trial.warmup:  # a request and its reply go both ways already
                    trial.step(f"{ends.path}: latency")
                    packets += yield from _latency(trial, ends, seconds, background)
                if ends.counts_packets:
                    yield Value(PACKETS, packets, ends.labels)

    def cautions(self, run: Run) -> list[str]:
        """What the figures do not say: loopback, unlike links, guests' clocks, a busy host."""
        from isoscope.benchmarks.network.cautions import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """Throughput by path, tails of the latency, and the CPU's share."""
        from isoscope.benchmarks.network.figures import figures

        return figures(run)


def _background(ends: Ends, seconds: int) -> Activity:
    """What the host does while nothing is sent."""
    before = Moment.take(ends.both)
    sleep(seconds / 4)
    return before.until(Moment.take(ends.both))


def _throughput(trial: Trial, ends: Ends, seconds: int, streams: int, background: Activity) -> _Counted:
    port = free_port()
    # A number that is the only one is an option of the run, and tells no series from another.
    number: dict[str, Label] = {"streams": streams} if len(trial.options["streams"]) > 1 else {}
    test = Exchange(
        port=port,
        server=iperf3.server(ends.address, port, tells=not ends.seen),
        ready=iperf3.READY,
        client=iperf3.client(ends.address, port, seconds=seconds, streams=streams, reverse=ends.reverse),
        seconds=seconds,
        begun=iperf3.BEGUN,
        server_tells=True,
        statuses=iperf3.STATUSES,
    )
    outcome = _run(trial, ends, test, f"throughput-{streams}" if number else "throughput")
    transferred, lasted = iperf3.transfer(outcome.output, reverse=ends.reverse)
    outcome.check(lasted)
    rate = transferred / lasted
    labels = {**ends.labels, **number, "congestion": iperf3.CONGESTION}
    yield Value(THROUGHPUT, rate, labels)
    yield from Done(BYTE, transferred, rate, labels).costs(ends, outcome, background)
    return outcome.packets or 0


def _latency(trial: Trial, ends: Ends, seconds: int, background: Activity) -> _Counted:
    port, size = free_port(), trial.options["size"]
    test = Exchange(
        port=port,
        server=pingpong.server(port, size=size),
        ready=pingpong.READY,
        client=pingpong.client(ends.address, port, seconds=seconds, size=size, tells=not ends.seen),
        seconds=seconds,
        begun=pingpong.BEGUN,
    )
    outcome = _run(trial, ends, test, pingpong.TEST)
    found = pingpong.latency(outcome.output, seconds=seconds)
    outcome.check(found.lasted)
    for name, ns in found.percentiles.items():
        yield Value(LATENCY[name], ns, ends.labels)
    yield Value(TRANSACTIONS, found.transactions, ends.labels)
    done = Done(TRANSACTION, found.transactions * found.lasted, found.transactions, ends.labels)
    yield from done.costs(ends, outcome, background)
    return outcome.packets or 0


def _run(trial: Trial, ends: Ends, test: Exchange, name: str) -> Outcome:
    """Carry out a test, and keep whatever was seen of it."""
    outcome = test.run(ends, trial.timeout)
    trial.keep(f"{name}-{ends.path}.json", outcome.output)
    trial.keep(f"{name}-{ends.path}-counters.json", json.dumps(outcome.counters(), indent=1).encode())
    return outcome
