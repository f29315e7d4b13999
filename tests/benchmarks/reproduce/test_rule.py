"""The rule by which two ratios have the same shape, at its edges."""

from __future__ import annotations

from math import inf, log

import pytest
from isoscope.benchmarks.reproduce import Kind
from isoscope.benchmarks.reproduce.rule import (
    GREATEST,
    SMALLEST,
    Band,
    Decision,
    Verdict,
    band,
    decide,
    disturbed,
    gains,
    overall,
    simultaneous,
)
from isoscope.benchmarks.results.statistics import Interval

SAME, DIFFERENT, OPEN = Verdict.SAME, Verdict.DIFFERENT, Verdict.NOT_COMPARABLE


def test_no_effect_has_a_band_of_five_per_cent() -> None:
    found = band(1.0)
    assert found.high == pytest.approx(1 + SMALLEST)
    assert found.low == pytest.approx(1 / (1 + SMALLEST))


@pytest.mark.parametrize("published", [0.02, 0.26, 0.42, 0.8, 0.95, 1.0, 1.06, 1.8, 2.43, 500.0])
def test_a_band_is_symmetric_on_the_log_scale_and_turns_no_effect_around(published: float) -> None:
    found = band(published)
    assert log(found.high) - log(published) == pytest.approx(log(published) - log(found.low))
    assert found.holds(published)
    assert found.high / found.low <= GREATEST**2 * (1 + 1e-12)
    if abs(log(published)) > log(1 + SMALLEST):
        assert not found.holds(1.0), "what makes a difference there must make one here"
    inverse = band(1 / published)  # a latency has the band of its rate
    assert inverse.low == pytest.approx(1 / found.high)


def test_half_of_an_effect_is_left_or_half_as_much_again() -> None:
    found = band(0.25)
    assert (found.low, found.high) == (pytest.approx(0.125), pytest.approx(0.5))
    assert band(100.0).high == pytest.approx(300.0)


def test_what_the_study_could_not_tell_apart_is_in_the_band() -> None:
    assert band(0.9, deviation=0.1).holds(1.0)
    assert not band(0.9).holds(1.0)


def test_a_direction_is_one_edge_and_none_where_there_is_no_effect() -> None:
    assert band(1.8, Kind.DIRECTION) == Band(1.0, inf)
    assert band(0.5, Kind.DIRECTION) == Band(0.0, 1.0)
    assert band(1.02, Kind.DIRECTION) == band(1.02)
    assert band(0.9, Kind.DIRECTION, 0.1) == band(0.9, Kind.SIZE, 0.1)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "verdict"),
    [
        (1.0, 0.97, 1.03, SAME),
        (1.0, 0.93, 1.03, OPEN),
        (1.04, 1.0, 1.08, OPEN),
        (1.2, 1.15, 1.25, DIFFERENT),
        (0.8, 0.75, 0.85, DIFFERENT),
        (1.07, 1.055, 1.085, DIFFERENT),
        (3.0, 0.5, 9.0, OPEN),
    ],
)
def test_an_interval_decides_where_no_edge_cuts_it(ratio: float, low: float, high: float, verdict: Verdict) -> None:
    found = decide(ratio, Interval(low, high), band(1.0), blocks=10, rows=1)
    assert (found.verdict, found.able) == (verdict, True)
    assert bool(found.reason) == (verdict is not SAME)


def test_many_rows_need_more_to_be_different_and_no_more_to_be_the_same() -> None:
    near, edges = Interval(1.055, 1.085), band(1.0)
    assert decide(1.07, near, edges, blocks=10, rows=1).verdict is DIFFERENT
    assert decide(1.07, near, edges, blocks=10, rows=20).verdict is OPEN
    assert decide(1.0, Interval(0.96, 1.04), edges, blocks=10, rows=20).verdict is SAME


def test_intervals_of_several_rows_are_stretched_by_student_s_t() -> None:
    # Bonferroni for 10 rows of 10 blocks: t(0.9975, 9) = 3.690 over t(0.975, 9) = 2.262
    wide = simultaneous(1.0, Interval(0.9, 1 / 0.9), blocks=10, rows=10)
    assert wide.low is not None
    assert log(wide.low) / log(0.9) == pytest.approx(3.690 / 2.262, rel=1e-3)
    assert simultaneous(1.0, Interval(0.9, 1.1), blocks=10, rows=1) == Interval(0.9, 1.1)


def test_without_an_interval_nothing_is_decided() -> None:
    found = decide(1.0, Interval(None, None, "3 blocks: too few"), band(1.0), blocks=3, rows=1)
    assert found.verdict is OPEN
    assert "3 blocks: too few" in found.reason


def test_a_baseline_that_differs_from_itself_disturbs() -> None:
    narrow, wide = band(1.0), band(0.26)
    assert disturbed(1.01, Interval(0.98, 1.04), narrow, blocks=10, rows=1) == ""
    assert "more than the band is wide" in disturbed(0.92, Interval(0.8, 1.1), narrow, blocks=10, rows=1)
    assert disturbed(0.92, Interval(0.8, 1.1), wide, blocks=10, rows=1) == ""
    assert "more than chance" in disturbed(0.97, Interval(0.96, 0.98), narrow, blocks=10, rows=1)
    assert disturbed(1.02, Interval(1.001, 1.04), narrow, blocks=10, rows=10) == "", "one of ten may, by chance"


def test_a_gain_over_no_isolation_is_told_by_the_metric_s_direction() -> None:
    assert gains(1.16, higher_is_better=True)
    assert gains(0.8, higher_is_better=False)
    assert not gains(1.04, higher_is_better=True)
    assert not gains(0.5, higher_is_better=True)


@pytest.mark.parametrize(
    ("verdicts", "unable", "expected"),
    [
        ([], 0, OPEN),
        ([], 5, OPEN),
        ([SAME], 5, SAME),
        ([SAME, SAME, OPEN], 0, SAME),
        ([SAME, OPEN], 0, OPEN),
        ([SAME, SAME, SAME, DIFFERENT], 0, DIFFERENT),
        ([OPEN, OPEN], 0, OPEN),
    ],
)
def test_an_item_is_what_its_able_rows_are(verdicts: list[Verdict], unable: int, expected: Verdict) -> None:
    able = [Decision(one, "", able=True) for one in verdicts]
    assert overall([*able, *[Decision(OPEN, "TCG", able=False)] * unable]) is expected
