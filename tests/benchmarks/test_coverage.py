"""Statistics against known distributions: how often the 95 % interval holds the truth, how often nothing is claimed.

Seeds are fixed, so that nothing here depends on luck. A share of 1,200 runs is known to 1.3 per cent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from isoscope.benchmarks.harness.extent import looks
from isoscope.benchmarks.results import statistics
from isoscope.benchmarks.results.statistics import Floats

Draw = Callable[[np.random.Generator, int], Floats]

#: Values as benchmarks find them: skewed, with a long tail, of two kinds, with some far out.
KINDS: dict[str, tuple[Draw, float]] = {
    "lognormal": (lambda rng, n: rng.lognormal(0, 0.5, n), 1.0),
    "exponential": (lambda rng, n: rng.exponential(1 / np.log(2), n), 1.0),
    "bimodal": (lambda rng, n: np.where(rng.random(n) < 0.3, 1.5, 1.0) * rng.lognormal(0, 0.1, n), 1.0582),
    "heavy": (lambda rng, n: np.exp(0.3 * np.clip(rng.standard_t(2, n), -99, 99)), 1.0),
}

RUNS = 1200


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends of intervals are then known to a few per cent of their width, which no coverage depends on."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 999)


@pytest.mark.parametrize("count", [10, 20, 50])
@pytest.mark.parametrize("kind", KINDS)
def test_95_per_cent_intervals_cover_the_truth_in_92_to_98(kind: str, count: int) -> None:
    draw, median = KINDS[kind]
    rng = np.random.default_rng([2024, count])
    of_median = of_ratio = 0
    for _ in range(RUNS):
        found = statistics.median_interval(draw(rng, count), rng)
        of_median += found.low <= median <= found.high
        of_block = rng.lognormal(0, 0.3, count)  # what all variants of a block share
        found = statistics.ratio_interval(3 * draw(rng, count) * of_block, draw(rng, count) * of_block, rng)
        of_ratio += found.low <= 3 <= found.high
    assert 0.92 <= of_median / RUNS <= 0.98
    assert 0.92 <= of_ratio / RUNS <= 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_equals_are_called_different_in_5_per_cent_of_comparisons_at_most(kind: str) -> None:
    """400 comparisons: were the rate 5 %, more than 34 would be seen once in 1,000 times."""
    draw, _ = KINDS[kind]
    rng = np.random.default_rng(2024)
    alarms = 0
    for _ in range(400):
        of_block = rng.lognormal(0, 0.3, 10)
        p_value = statistics.difference(draw(rng, 10) * of_block, draw(rng, 10) * of_block, rng)
        alarms += p_value is not None and p_value < 0.05
    assert alarms <= 34


@pytest.mark.parametrize("kind", KINDS)
def test_twice_as_much_is_found_in_10_blocks(kind: str) -> None:
    """With values that spread by a tenth to a fifth, as start-ups do; those of the kinds spread far more."""
    draw, _ = KINDS[kind]
    rng = np.random.default_rng(2024)
    found = 0
    for _ in range(100):
        ours, theirs = draw(rng, 10) ** 0.2, draw(rng, 10) ** 0.2
        interval = statistics.ratio_interval(2 * ours, theirs, rng)
        p_value = statistics.difference(2 * ours, theirs, rng)
        found += interval.low > 1 and p_value is not None and p_value < 0.05
    assert found >= 95


def test_to_stop_when_it_is_precise_enough_costs_little_coverage() -> None:
    """Intervals that are narrow by luck end a run early: they then miss the truth more often than the rest."""
    rng = np.random.default_rng(2024)
    covered = stopped = 0
    for _ in range(200):
        ours, theirs = rng.lognormal(0, 0.1, 60), rng.lognormal(0, 0.1, 60)
        for count in [*looks(60), 60]:
            found = statistics.ratio_interval(ours[:count], theirs[:count], rng)
            half = (found.high - found.low) / 2 / (np.median(ours[:count]) / np.median(theirs[:count]))
            if half <= 0.10:
                break
        stopped += count < 60
        covered += found.low <= 1 <= found.high
    assert stopped > 150
    assert 0.88 <= covered / 200 <= 0.99
