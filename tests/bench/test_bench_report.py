"""A run of 100,000 rows: its statistics in this process, and its whole report in one of its own, time and memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isobench.duel import Duel
from isobench.long_run import long_run
from isoscope.benchmarks import Run
from isoscope.benchmarks.results import statistics
from isoscope.benchmarks.results.summarize import summarize
from isoscope.benchmarks.results.trials import FILE
from isoscope.core import Lab

pytestmark = [pytest.mark.root, pytest.mark.vm]

ROWS = 100_000
MOST_SECONDS = 10
MOST_MIB = 500

RESAMPLES = "medians of 4 times 999 resamples of 2,000 values"

SCRIPT = Path(sys.executable).with_name("isoscope")
BY_HAND = Path(__file__).with_name("by_hand.py")


@pytest.fixture
def long(lab: Lab, tmp_path: Path) -> Path:
    """The folder of a run with 100,000 rows."""
    return long_run(lab, tmp_path, ROWS)


def resamples(values: Any) -> None:
    """A yardstick for statistics: medians of 4 times 999 resamples."""
    import numpy as np

    rng = np.random.default_rng(1)
    for _ in range(4):
        np.median(values[rng.integers(0, len(values), (999, len(values)))], axis=1)


def test_statistics(duel: Duel, long: Path) -> None:
    run = Run(long)
    assert abs(len(run.trials) - ROWS) < ROWS / 100
    values = run.trials["value"].dropna().to_numpy()[:2000]

    def ours() -> None:
        summarize(run)

    duel("statistics of 100,000 rows", ours, lambda: resamples(values), to=RESAMPLES, rounds=6)


def test_ratios(duel: Duel) -> None:
    """What takes the time in a run of many series: 100 of them, of 300 blocks each, as 100,000 rows can be."""
    import numpy as np

    rng = np.random.default_rng(1)
    values = rng.lognormal(0, 0.3, 2000)
    pairs = [(rng.lognormal(0.1, 0.3, 300), rng.lognormal(0, 0.3, 300)) for _ in range(100)]

    def ours() -> None:
        for one, other in pairs:
            statistics.ratio_interval(one, other, rng)
            statistics.difference(one, other, rng)

    duel("100 ratios of 300 blocks", ours, lambda: resamples(values), to=RESAMPLES, rounds=6)


#: Runs a program and prints its ns and the greatest memory that it had resident, in KiB: wait4(2).
MEASURE = """
import os, sys, time
began = time.monotonic_ns()
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
print(time.monotonic_ns() - began, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def child(*command: str | Path) -> tuple[int, int]:
    """Runs a program. Returns its ns and the greatest memory that it had resident, in bytes.

    From a small process: what had been resident before execve(2) counts too, and that would be this process's memory.
    """
    measure = [sys.executable, "-c", MEASURE, *map(str, command)]
    span, peak = subprocess.run(measure, capture_output=True, text=True, check=True).stdout.split()
    return int(span), int(peak) * 1024


def test_report(duel: Duel, long: Path) -> None:
    spans: list[int] = []
    peaks: list[int] = []

    def ours() -> int:
        span, peak = child(SCRIPT, "report", long)
        spans.append(span)
        peaks.append(peak)
        return span

    def by_hand() -> int:
        return child(sys.executable, BY_HAND, long / FILE)[0]

    duel("report of 100,000 rows", ours, by_hand, to="a script that reads them and draws one plot", rounds=4)
    duel.limit("report of 100,000 rows, time", min(spans) / 1e9, MOST_SECONDS, "s")
    duel.value("report of 100,000 rows, memory", max(peaks) / 2**20, "MiB", timed=False)
    duel.limit("report of 100,000 rows, memory", max(peaks) / 2**20, MOST_MIB, "MiB", timed=False)
