"""The whole distribution of the latency, from the histograms that fio printed and the run kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.harness.harness import RAW
from isoscope.benchmarks.network import pingpong
from isoscope.benchmarks.network.metrics import LATENCY
from isoscope.core.errors import WorkloadFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.statistics import Floats
    from isoscope.benchmarks.results.summary import Series


def slower(run: Run, series: Series) -> tuple[Floats, Floats]:
    """Times, ascending, and for each the share of transactions that took at least so long; each trial weighs the same.

    Empty where no histogram was kept, or none can be read.
    """
    found = list(_histograms(run, series))
    times = np.array(sorted({ns for bins in found for ns in bins}))
    shares = np.zeros(len(times))
    for bins in found:
        counts = np.array([bins.get(ns, 0) for ns in times], dtype=np.float64)
        shares += counts[::-1].cumsum()[::-1] / counts.sum() / len(found)
    return times, shares


def _histograms(run: Run, series: Series) -> Iterator[dict[float, int]]:
    frame = run.trials
    rows = frame[
        (frame["benchmark"] == series.benchmark)
        & (frame["metric"] == LATENCY["50"].name)
        & (frame["variant"] == series.variant)
        & (frame["accelerator"] == series.accelerator)
        & (frame["status"] == "ok")
        & ~frame["warmup"]
    ]
    path = str(series.labels["path"])
    for trial, labels in zip(rows["trial"], rows["labels"], strict=True):
        if labels.get("path") == path:
            file = run.directory / RAW / series.benchmark / f"{trial:05}-{pingpong.file_name(path)}"
            try:
                yield pingpong.histogram(file.read_bytes())
            except (OSError, WorkloadFailed):  # somebody tidied up: the rest of the report does not need it
                continue
