"""What the benchmark `network` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

THROUGHPUT = Metric(
    "network.throughput",
    "B/s",
    Direction.HIGHER,
    "Payload that the receiver counted, divided by the seconds of the transfer on the client's clock (iperf3, TCP).",
)


def _latency(percentile: str) -> Metric:
    return Metric(
        f"network.latency.p{percentile}",
        "ns",
        Direction.LOWER,
        f"The time from sending a request to having its whole reply that {percentile} % of a trial's transactions did "
        "not exceed (fio, TCP, one connection, one request at a time).",
    )


#: By the percentile, as fio writes it.
LATENCY = {percentile: _latency(percentile) for percentile in ("50", "90", "99", "99.9")}

TRANSACTIONS = Metric(
    "network.transactions",
    "1/s",
    Direction.HIGHER,
    "Requests answered in a second, over one connection, one at a time.",
)


def _cpu(name: str, whose: str, of_what: str) -> Metric:
    return Metric(
        f"network.{name}",
        "ns",
        Direction.LOWER,
        f"CPU time of the host for each {of_what}, {whose}: what was spent in a second in the midst of the test, less "
        f"what was spent in a second before it by the same instances in silence, over the {of_what}s of a second.",
    )


_ENDS = "as far as it is charged to the instances at both ends, their VMM included"
_HOST = "of all its processors for whatever they do, kernel threads included"

CPU_PER_BYTE = _cpu("cpu_per_byte", _ENDS, "byte")
CPU_PER_TRANSACTION = _cpu("cpu_per_transaction", _ENDS, "transaction")
HOST_CPU_PER_BYTE = _cpu("host_cpu_per_byte", _HOST, "byte")
HOST_CPU_PER_TRANSACTION = _cpu("host_cpu_per_transaction", _HOST, "transaction")

BACKGROUND = Metric(
    "network.background",
    "1",
    Direction.LOWER,
    "The share of the host's processors that was busy before a path was first used, with the instances up and silent.",
)

HEADLINE = (THROUGHPUT, LATENCY["50"], LATENCY["99"], CPU_PER_BYTE, CPU_PER_TRANSACTION)
DETAILS = (LATENCY["90"], LATENCY["99.9"], TRANSACTIONS, HOST_CPU_PER_BYTE, HOST_CPU_PER_TRANSACTION, BACKGROUND)
NETWORK = HEADLINE + DETAILS
