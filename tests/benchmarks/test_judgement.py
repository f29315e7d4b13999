"""What the interval of a ratio says in a word."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.results.judgement import NO_DIFFERENCE, Judgement, judge, together
from isoscope.benchmarks.results.statistics import Interval

SLOWER, FASTER = Judgement(False, "slower"), Judgement(True, "faster")


def metric(unit: str, direction: Direction) -> Metric:
    return Metric("m", unit, direction, "")


@pytest.mark.parametrize(
    ("unit", "direction", "low", "high", "expected"),
    [
        ("ns", "lower", 1.1, 1.3, SLOWER),
        ("ns", "lower", 0.8, 0.9, FASTER),
        ("B/s", "higher", 1.1, 1.3, FASTER),
        ("1/s", "higher", 0.8, 0.9, SLOWER),
        ("B", "lower", 1.1, 1.3, Judgement(False, "more")),
        ("B", "lower", 0.1, 0.3, Judgement(True, "less")),
        ("1", "higher", 1.1, 1.3, Judgement(True, "higher")),
        ("1", "lower", 1.1, 1.3, Judgement(False, "higher")),
        ("ns", "lower", 0.9, 1.1, NO_DIFFERENCE),
        ("ns", "lower", 1.0, 1.1, NO_DIFFERENCE),
    ],
)
def test_word_and_direction(unit: str, direction: str, low: float, high: float, expected: Judgement) -> None:
    assert judge(metric(unit, Direction(direction)), Interval(low, high)) == expected


def test_without_an_interval_nothing_is_said() -> None:
    assert judge(metric("ns", Direction.LOWER), Interval(None, None, "too few")) is None


@pytest.mark.parametrize(("low", "high"), [(1.04, 1.2), (0.8, 0.96)])
def test_what_the_noise_reaches_is_no_difference(low: float, high: float) -> None:
    time = metric("ns", Direction.LOWER)
    assert judge(time, Interval(low, high)) != NO_DIFFERENCE
    assert judge(time, Interval(low, high), floor=0.05) == NO_DIFFERENCE


def test_signs_do_not_need_colour() -> None:
    assert [one.sign for one in (FASTER, SLOWER, NO_DIFFERENCE, Judgement(None, "mixed"))] == ["▲", "▼", "≈", "±"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([SLOWER, SLOWER], SLOWER),
        ([NO_DIFFERENCE, NO_DIFFERENCE], NO_DIFFERENCE),
        ([SLOWER, NO_DIFFERENCE, SLOWER], Judgement(False, "2 of 3 slower")),
        ([SLOWER, FASTER, NO_DIFFERENCE], Judgement(None, "1 of 3 slower, 1 of 3 faster")),
        ([SLOWER, None], None),
        ([], None),
    ],
)
def test_several_together(found: list[Judgement | None], expected: Judgement | None) -> None:
    assert together(found) == expected
