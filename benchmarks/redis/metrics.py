"""What the benchmark `redis` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

REQUESTS = Metric(
    "redis.requests",
    "1/s",
    Direction.HIGHER,
    "Requests a second that a redis-server in the instance answered clients on the host, each with a value of 50 bytes "
    "and without pipelining, as redis-benchmark counts.",
)
LATENCY_P50 = Metric(
    "redis.latency.p50",
    "ns",
    Direction.LOWER,
    "Median time from a client's request to its answer, as redis-benchmark takes it on the host.",
)
LATENCY_P99 = Metric(
    "redis.latency.p99",
    "ns",
    Direction.LOWER,
    "99th percentile of the time from a client's request to its answer, as redis-benchmark takes it on the host.",
)

REDIS = (REQUESTS, LATENCY_P50, LATENCY_P99)
