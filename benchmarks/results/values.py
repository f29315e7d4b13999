"""The values behind a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from isoscope.benchmarks.results.statistics import Floats

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series


def trial_values(run: Run, series: Series) -> Floats:
    """Every measured value of a series, ascending."""
    return np.sort(_rows(run, series)["value"].to_numpy(dtype=np.float64))


def block_values(run: Run, series: Series) -> Floats:
    """One value for each block of a series: the median of those in it."""
    return np.asarray(_rows(run, series).groupby("block")["value"].median(), dtype=np.float64)


def _rows(run: Run, series: Series) -> pd.DataFrame:
    frame = run.trials
    rows = frame[
        (frame["benchmark"] == series.benchmark)
        & (frame["metric"] == series.metric.name)
        & (frame["variant"] == series.variant)
        & (frame["accelerator"] == series.accelerator)
        & (frame["status"] == "ok")
        & ~frame["warmup"]
    ]
    for key in run.terms.subject(series.benchmark).dimensions:
        rows = rows[[labels.get(key) == series.labels.get(key) for labels in rows["labels"]]]
    return rows
