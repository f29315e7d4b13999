"""What the benchmark `disk` finds."""

from __future__ import annotations

from isoscope.benchmarks.metric import Direction, Metric

BANDWIDTH = Metric(
    "disk.bandwidth",
    "B/s",
    Direction.HIGHER,
    "Bytes that fio read or wrote each second of a sequential phase, its ramp left out.",
)
IOPS = Metric(
    "disk.iops",
    "1/s",
    Direction.HIGHER,
    "Reads or writes of 4 KiB that fio completed each second of a random phase, its ramp left out.",
)
FLUSH = Metric(
    "disk.flush",
    "ns",
    Direction.LOWER,
    "Median time of an fdatasync(2) that follows one write of 4 KiB through the page cache, as fio takes it.",
)
LATENCY_MEAN = Metric(
    "disk.latency.mean",
    "ns",
    Direction.LOWER,
    "Mean time from the submission of a read or write to its completion, as fio takes it inside (clat).",
)
LATENCY_P50 = Metric(
    "disk.latency.p50",
    "ns",
    Direction.LOWER,
    "Median time from the submission of a read or write to its completion, as fio takes it inside (clat).",
)
LATENCY_P99 = Metric(
    "disk.latency.p99",
    "ns",
    Direction.LOWER,
    "99th percentile of the time from the submission of a read or write to its completion, as fio takes it (clat).",
)
CPU = Metric(
    "disk.cpu",
    "ns",
    Direction.LOWER,
    "CPU time charged to the instance, its VMM included, for each read or write, less what starting fio takes.",
)
HOST_CPU = Metric(
    "disk.host_cpu",
    "ns",
    Direction.LOWER,
    "CPU time of the whole host for each read or write, others' work included, less what starting fio takes.",
)

HEADLINE = (BANDWIDTH, IOPS, FLUSH)
DETAILS = (LATENCY_MEAN, LATENCY_P50, LATENCY_P99, CPU, HOST_CPU)
DISK = (*HEADLINE, *DETAILS)
