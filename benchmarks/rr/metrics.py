"""What the benchmark `rr` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

TRANSACTIONS = Metric(
    "rr.transactions",
    "1/s",
    Direction.HIGHER,
    "Requests a second that a client on the host had answered by a server in the instance, each sent when the whole "
    "response to the last was there.",
)
LATENCY = Metric(
    "rr.latency",
    "ns",
    Direction.LOWER,
    "Mean time of such a transaction: the whole time over their number, as netperf's request/response tests have it.",
)

RR = (TRANSACTIONS, LATENCY)
