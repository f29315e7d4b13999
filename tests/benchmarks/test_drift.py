from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from isoscope.benchmarks import Direction, Metric, Run
from isoscope.benchmarks.results import drift
from isoscope.benchmarks.results.statistics import Floats, Interval
from isoscope.benchmarks.results.summary import Drift, Ratio, Series

READY = Metric("startup.ready", "ns", Direction.LOWER, "Until it is ready.")


def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


def series(found: Drift | None, of_ratio: Drift | None = None, role: str = "headline") -> Series:
    ratio = Ratio("process", 10, 2.0, Interval(1.9, 2.1), 0.01, of_ratio) if of_ratio else None
    return Series(
        benchmark="startup",
        metric=READY,
        role=role,
        variant="vm",
        accelerator="",
        labels={},
        blocks=10,
        values=10,
        failed=0,
        p50=1.0,
        p90=1.0,
        p99=1.0,
        mean=1.0,
        least=1.0,
        greatest=1.0,
        median_interval=Interval(1.0, 1.0),
        outliers=(),
        ratio=ratio,
        reason=None,
        drift=found,
    )


def seen(values: Floats) -> Drift:
    found = drift.drift(values)
    assert found is not None
    return found


def test_values_that_rise_have_drifted_up() -> None:
    values = np.linspace(1e6, 2e6, 30) * rng().lognormal(0, 0.1, 30)
    found = seen(values)
    assert found.tau > 0.5
    assert found.p_value < 1e-4
    assert found.first == np.median(values[:10])
    assert found.last == np.median(values[20:])
    assert found.autocorrelation > 2 / np.sqrt(30)
    [sentence] = drift.sentences(drift.adjusted([series(found)]))
    assert "startup.ready of vm drifted up" in sentence
    assert "Ratios within blocks are protected, absolute medians are not." in sentence


def test_values_that_fall_have_drifted_down() -> None:
    [sentence] = drift.sentences([series(seen(np.linspace(2e6, 1e6, 12)))])
    assert "drifted down" in sentence
    assert "2 ms" not in sentence.split("its last")[1]


def test_a_ratio_that_drifts_is_not_protected() -> None:
    moved = seen(np.linspace(2, 3, 12))
    [sentence] = drift.sentences(drift.adjusted([series(None, moved)]))
    assert "its ratio to process drifted up" in sentence
    assert "first third 2.14, last 2.86" in sentence


@pytest.mark.parametrize("values", [np.arange(8.0), np.full(20, 3.0)])
def test_few_blocks_or_equal_values_have_no_trend(values: Floats) -> None:
    assert drift.drift(values) is None


def test_no_drift_is_claimed_too_often_where_there_is_none() -> None:
    """Of 250 runs without drift, each with four series, one in twenty may say something: 12, and 26 once in 3,000."""
    draw = rng()
    claims = 0
    for _ in range(250):
        found = [series(seen(draw.lognormal(0, 0.5, 10))) for _ in range(4)]
        claims += bool(drift.sentences(drift.adjusted(found)))
    assert claims <= 26


def test_many_looks_are_allowed_for() -> None:
    """A p-value of 0.02 says something of the only series, and nothing of one among ten."""
    one = replace(seen(np.arange(10.0)), p_value=0.02, adjusted=0.02)
    other = replace(one, p_value=0.9, adjusted=0.9)
    assert drift.sentences(drift.adjusted([series(one)]))
    assert not drift.sentences(drift.adjusted([series(one), *[series(other)] * 9]))


def test_what_is_no_headline_is_neither_looked_at_nor_counted() -> None:
    found = seen(np.arange(10.0))
    assert not drift.sentences([series(found, role="detail")])
    told = drift.adjusted([series(found), *[series(replace(found, p_value=1.0), role="detail")] * 99])
    assert told[0].drift is not None
    assert told[0].drift.adjusted == found.p_value


def test_a_run_that_drifts_says_so(compare: Callable[..., Run]) -> None:
    run = compare(blocks=12)
    rows = [json.loads(line) for line in (run.directory / "trials.jsonl").read_text().splitlines()]
    for row in rows:
        if row["metric"].startswith("startup.") and row["variant"] != "null":
            row["value"] = (10 + row["block"]) * 10**6 * {"process": 1, "container": 2, "vm": 3}[row["variant"]]
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = Run.load(run.directory)
    told = [text for text in again.results.remarks if "drifted" in text]
    assert len(told) == 6  # each headline of each variant, and no ratio
    assert not any("its ratio" in text for text in told)
    again.write()
    assert json.loads((run.directory / "summary.json").read_text())["series"][0]["drift"]["tau"] > 0.99
