from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from isoscope.benchmarks.results import statistics
from scipy.special import ndtr, stdtrit
from scipy.stats import bootstrap, permutation_test


def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


def test_percentiles_are_hyndman_and_fans_type_7() -> None:
    values = np.array([15.0, 20.0, 35.0, 40.0, 50.0])
    p50, p90, p99 = statistics.percentiles(values)
    assert p50 == 35
    assert p90 == pytest.approx(40 + 0.6 * 10)  # position 0.9 * (5 - 1) = 3.6
    assert p99 == pytest.approx(40 + 0.96 * 10)


@pytest.mark.parametrize("count", [9, 10, 25])
def test_intervals_agree_with_scipys_where_medians_are_fine_grained(count: int) -> None:
    """A ratio takes so many values that the mid-distribution's quantiles are the plain ones."""
    draw = rng()
    ours, theirs = draw.lognormal(1, 0.3, count), draw.lognormal(0, 0.3, count)
    found = statistics.ratio_interval(ours, theirs, rng())
    expected = bootstrap(
        (ours, theirs),
        lambda x, y, axis: np.median(x, axis=axis) / np.median(y, axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        confidence_level=2 * ndtr(stdtrit(count - 1, 0.975)) - 1,  # Student's tails in place of the normal's
        rng=rng(),
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.06 * width)
    assert found.high == pytest.approx(expected.high, abs=0.06 * width)


@pytest.mark.parametrize("count", [9, 13])  # test_coverage.py has greater ones, and more runs
@pytest.mark.parametrize("kind", ["lognormal", "exponential", "bimodal"])
def test_intervals_cover_the_truth_as_often_as_they_say(count: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 runs: were the coverage 95 %, fewer than 90 % would be seen once in 10,000 times."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 999)
    draw = rng()
    make = {
        "lognormal": lambda: draw.lognormal(0, 0.5, count),
        "exponential": lambda: draw.exponential(1 / np.log(2), count),
        "bimodal": lambda: np.where(draw.random(count) < 0.3, 1.5, 1.0) * draw.lognormal(0, 0.1, count),
    }[kind]
    median = 1.0 if kind != "bimodal" else float(np.median(np.concatenate([make() for _ in range(20_000)])))
    hits = {"median": 0, "ratio": 0}
    for _ in range(400):
        of_block = draw.lognormal(0, 0.3, count) if kind != "bimodal" else np.ones(count)
        of_median = statistics.median_interval(make(), draw)
        of_ratio = statistics.ratio_interval(3 * make() * of_block, make() * of_block, draw)
        hits["median"] += of_median.low <= median <= of_median.high
        hits["ratio"] += of_ratio.low <= 3 <= of_ratio.high
    assert 0.9 <= hits["median"] / 400 <= 0.99
    assert 0.9 <= hits["ratio"] / 400 <= 0.99


def test_blocks_are_drawn_as_pairs() -> None:
    """What all variants of a block share cancels out of the ratio, however much the blocks differ."""
    of_block = rng().lognormal(0, 2, 20)
    found = statistics.ratio_interval(3 * of_block, of_block, rng())
    assert found.low == pytest.approx(3)
    assert found.high == pytest.approx(3)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_too_few_blocks_have_a_reason_in_place_of_an_interval(count: int) -> None:
    values = np.arange(1.0, count + 1)
    for found in (statistics.median_interval(values, rng()), statistics.ratio_interval(values, values, rng())):
        assert found.low is None
        assert found.high is None
        assert str(count) in found.reason
        assert "9" in found.reason


def test_a_baseline_that_is_0_in_some_blocks_has_no_ratio_without_an_end() -> None:
    baseline = np.array([0.0] * 4 + [1.0] * 6)
    found = statistics.ratio_interval(np.ones(10), baseline, rng())
    assert (found.low, found.high) == (None, None)
    assert "may as well be 0" in found.reason


def test_a_ratio_to_nothing_has_a_reason() -> None:
    found = statistics.ratio_interval(np.ones(12), np.zeros(12), rng())
    assert found.low is None
    assert "0" in found.reason


def test_equal_values_have_an_interval_without_width() -> None:
    assert statistics.median_interval(np.full(10, 4.0), rng()) == statistics.Interval(4.0, 4.0)


def test_medians_without_each_value_are_those_of_the_rest() -> None:
    for count in (9, 10):
        values = rng().integers(0, 6, count).astype(float)  # with ties
        expected = [np.median(np.delete(values, index)) for index in range(count)]
        assert statistics._medians_without_each(values).tolist() == expected


def test_the_p_value_counts_every_swap() -> None:
    draw = rng()
    ours, theirs = draw.lognormal(0.2, 0.3, 9), draw.lognormal(0, 0.3, 9)
    swapped = [
        np.median(np.where(swaps, theirs, ours)) / np.median(np.where(swaps, ours, theirs))
        for swaps in product((False, True), repeat=9)
    ]
    at_most = np.mean(np.array(swapped) <= swapped[0] + 1e-12)
    at_least = np.mean(np.array(swapped) >= swapped[0] - 1e-12)
    assert statistics.difference(ours, theirs, rng()) == pytest.approx(2 * min(at_most, at_least))


@pytest.mark.parametrize("count", [9, 10, 30])
@pytest.mark.parametrize("rounded", [False, True])
def test_the_p_value_is_scipys(count: int, rounded: bool) -> None:
    draw = rng()
    ours, theirs = draw.lognormal(0.1, 0.4, count), draw.lognormal(0, 0.4, count)
    if rounded:  # many are equal
        ours, theirs = ours.round(1), theirs.round(1)
    expected = permutation_test(
        (ours, theirs),
        lambda x, y, axis: np.log(np.median(x, axis=axis) / np.median(y, axis=axis)),
        permutation_type="samples",
        vectorized=True,
        rng=rng(),
    ).pvalue
    exact = count < 14  # else both have drawn some of the swaps
    assert statistics.difference(ours, theirs, rng()) == pytest.approx(expected, abs=1e-9 if exact else 0.02)


def test_no_difference_is_claimed_too_often_where_there_is_none() -> None:
    draw = rng()
    claims = sum(
        statistics.difference(draw.lognormal(0, 0.5, 10), draw.lognormal(0, 0.5, 10), draw) <= 0.05 for _ in range(300)
    )
    assert claims <= 30


def test_a_difference_of_too_few_blocks_is_not_tested() -> None:
    assert statistics.difference(np.full(8, 1.0), np.full(8, 100.0), rng()) is None
    assert statistics.difference(np.full(9, 1.0), np.full(9, 100.0), rng()) is not None


def test_values_that_are_not_positive_are_compared_by_difference() -> None:
    assert statistics.difference(np.arange(10) - 20.0, np.arange(10) - 5.0, rng()) < 0.05
    assert statistics.difference(np.tile([-1.0, 1, 0], 3), np.tile([1.0, -1, 0], 3), rng()) > 0.05


def test_outliers_are_flagged_by_their_distance_in_deviations() -> None:
    values = np.array([10.0, 11, 12, 13, 14, 15, 16, 30])
    assert statistics.outliers(values).tolist() == [False] * 7 + [True]
    assert not statistics.outliers(np.array([1.0, 1, 1, 1, 9])).any()  # the spread is unknown: nothing is claimed


@pytest.mark.parametrize("count", [9, 10, 31])
def test_medians_of_resamples_are_as_if_every_value_had_been_drawn(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 100_000)
    monkeypatch.setattr(statistics, "_LEAST_RESAMPLES", 100_000)
    values = rng().lognormal(0, 0.5, count)
    found = statistics._medians_drawn(values, rng())
    drawn = statistics._draw([values], lambda medians: medians[0], rng())
    assert len(found) == len(drawn) == 100_000
    at = np.union1d(found, drawn)
    shares = [np.searchsorted(np.sort(each), at, side="right") / len(each) for each in (found, drawn)]
    assert np.max(np.abs(shares[0] - shares[1])) < 0.012  # Kolmogorov and Smirnov: once in 500,000 times by chance


def test_many_blocks_are_drawn_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_BATCH", 1000)
    values = rng().lognormal(0, 0.3, 400)
    whole = statistics.ratio_interval(values, np.ones(400), rng())
    assert whole.low < np.median(values) < whole.high


@pytest.mark.parametrize("count", [9, 10])
def test_medians_of_rows_are_those_of_their_values(count: int) -> None:
    values = rng().integers(0, 6, count).astype(float)  # with ties
    chosen = rng().integers(0, count, (50, count), dtype=np.int32)
    ranked, ranks = statistics._ranked(values)
    assert statistics._medians(ranked, ranks[chosen]).tolist() == np.median(values[chosen], axis=1).tolist()
