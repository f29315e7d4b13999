"""The statistics of two runs, against known distributions."""

from __future__ import annotations

import numpy as np
import pytest
from isoscope.benchmarks.results import independent
from isoscope.benchmarks.results.independent import difference_of_independent, ratio_of_independent


@pytest.mark.parametrize(("ours", "theirs"), [(10, 10), (9, 20), (30, 30)])
def test_the_interval_covers_the_truth_as_often_as_it_says(
    ours: int, theirs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(independent, "_RESAMPLES", 999)
    rng = np.random.default_rng(20)
    runs, covered = 300, 0
    for _ in range(runs):
        found = ratio_of_independent(3 * rng.lognormal(0, 0.2, ours), rng.lognormal(0, 0.2, theirs), rng)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 3 <= found.high
    assert 0.92 <= covered / runs <= 0.99


def test_the_test_rejects_as_seldom_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(independent, "_RESAMPLES", 999)
    rng = np.random.default_rng(4)
    values = [
        difference_of_independent(rng.lognormal(0, 0.2, 10), rng.lognormal(0, 0.2, 12), rng) or 0 for _ in range(200)
    ]
    assert 0.005 <= np.mean(np.array(values) <= 0.05) <= 0.085
    assert difference_of_independent(1.5 * rng.lognormal(0, 0.1, 10), rng.lognormal(0, 0.1, 10), rng) < 0.01


def test_the_order_of_blocks_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.lognormal(0, 0.2, 10), rng.lognormal(0, 0.2, 10)
    found = [ratio_of_independent(ours, order, np.random.default_rng(2)) for order in (theirs, theirs[::-1].copy())]
    assert found[0].low == pytest.approx(found[1].low, rel=0.05)
    assert found[0].high == pytest.approx(found[1].high, rel=0.05)


def test_what_has_no_interval_says_why() -> None:
    rng = np.random.default_rng(1)
    few = ratio_of_independent(np.ones(20), np.ones(8), rng)
    assert (few.low, few.reason) == (None, "8 blocks: an interval needs at least 9")
    nothing = ratio_of_independent(np.ones(9), np.zeros(9), rng)
    assert (nothing.low, nothing.reason) == (None, "the first run's median is 0")
    same = ratio_of_independent(np.full(9, 4.0), np.full(9, 2.0), rng)
    assert (same.low, same.high) == (2.0, 2.0)
    nearly = ratio_of_independent(np.array([2.0] * 8 + [3.0]), np.ones(9), rng)
    assert nearly.low is None or nearly.low <= 2 <= (nearly.high or 0)
    assert difference_of_independent(np.ones(1), np.ones(9), rng) is None
    assert difference_of_independent(np.zeros(9), np.zeros(9), rng) == 1
