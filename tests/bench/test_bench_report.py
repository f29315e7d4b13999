"""A run of 100,000 rows: its statistics in this process, and its whole report in one of its own, time and memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic_ns
from typing import Any

import pytest
from isobench.duel import Duel
from isoscope.benchmarks import Run
from isoscope.benchmarks.results.files import write_json
from isoscope.benchmarks.results.run import MANIFEST
from isoscope.benchmarks.results.summarize import summarize
from isoscope.benchmarks.results.trials import FILE
from isoscope.core import Lab

pytestmark = [pytest.mark.root, pytest.mark.vm]

ROWS = 100_000
MOST_SECONDS = 10
MOST_MIB = 500

SCRIPT = Path(sys.executable).with_name("isoscope")
BY_HAND = Path(__file__).with_name("by_hand.py")


@pytest.fixture
def long_run(lab: Lab, tmp_path: Path) -> Path:
    """The folder of a run that was made once, and whose trials then stand in it until it has 100,000 rows."""
    short = lab.compare("hello", backends=["process", "container", "vm"], blocks=1, directory=tmp_path / "short")
    with (short.directory / FILE).open() as file:
        real = [json.loads(line) for line in file]
    measured: dict[str, list[dict[str, Any]]] = {}
    for row in real:
        if not row["warmup"]:
            measured.setdefault(row["variant"], []).append(row)
    directory = tmp_path / "long"
    directory.mkdir()
    blocks = ROWS // sum(map(len, measured.values()))
    terms = replace(short.terms, blocks=blocks)
    write_json(directory / MANIFEST, terms.as_dict())
    (directory / "environment.json").write_bytes((short.directory / "environment.json").read_bytes())
    noise = random.Random(1)
    with (directory / FILE).open("w") as file:
        for order, cell in enumerate(terms.cells()):
            where = {"block": cell.block, "trial": cell.trial, "order": order, "warmup": cell.warmup}
            for row in measured[cell.variant]:
                file.write(json.dumps({**row, **where, "value": row["value"] * noise.lognormvariate(0, 0.2)}) + "\n")
    return directory


def test_statistics(duel: Duel, long_run: Path) -> None:
    run = Run(long_run)
    assert abs(len(run.trials) - ROWS) < ROWS / 100
    values = run.trials["value"].dropna().to_numpy()[:2000]

    def ours() -> None:
        summarize(run)

    def plain() -> None:
        import numpy as np

        rng = np.random.default_rng(1)
        for _ in range(4):
            np.median(values[rng.integers(0, len(values), (999, len(values)))], axis=1)

    duel("statistics of 100,000 rows", ours, plain, to="medians of 4 times 999 resamples of 2,000 values", rounds=6)


def child(*command: str | Path) -> tuple[int, int]:
    """Runs a program. Returns its ns and the greatest memory that it had resident, in bytes: wait4(2)."""
    began = monotonic_ns()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return monotonic_ns() - began, usage.ru_maxrss * 1024


def test_report(duel: Duel, long_run: Path) -> None:
    spans: list[int] = []
    peaks: list[int] = []

    def ours() -> int:
        span, peak = child(SCRIPT, "report", long_run)
        spans.append(span)
        peaks.append(peak)
        return span

    def by_hand() -> int:
        return child(sys.executable, BY_HAND, long_run / FILE)[0]

    duel("report of 100,000 rows", ours, by_hand, to="a script that reads them and draws one plot", rounds=4)
    duel.limit("report of 100,000 rows, time", min(spans) / 1e9, MOST_SECONDS, "s")
    duel.value("report of 100,000 rows, memory", max(peaks) / 2**20, "MiB", timed=False)
    duel.limit("report of 100,000 rows, memory", max(peaks) / 2**20, MOST_MIB, "MiB", timed=False)
