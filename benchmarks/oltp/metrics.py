"""What the benchmark `oltp` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

TRANSACTIONS = Metric(
    "oltp.transactions",
    "1/s",
    Direction.HIGHER,
    "Read-only transactions a second, of 14 SELECT each, that a MariaDB in the instance completed for clients on the "
    "host, as sysbench counts.",
)
LATENCY_MEAN = Metric(
    "oltp.latency.mean",
    "ns",
    Direction.LOWER,
    "Mean time of a transaction from BEGIN to the answer to COMMIT, as sysbench takes it on the host.",
)
LATENCY_P99 = Metric(
    "oltp.latency.p99",
    "ns",
    Direction.LOWER,
    "99th percentile of the time of a transaction, as sysbench takes it on the host.",
)

OLTP = (TRANSACTIONS, LATENCY_MEAN, LATENCY_P99)
