"""Lines through ramps that are made up, and what is refused."""

import itertools
import math

import pytest
from isoscope.benchmarks.capacity.fit import PSS, Fit, estimate, fits
from isoscope.benchmarks.capacity.starts import growth
from isoscope.core.errors import InputError

GIB = 1 << 30


def look(n, memory, pss, pids=0.0, cpu=0.0):
    usage = {"memory": {"used": memory, "most": 16 * GIB}, "pids": {"used": 100 + pids, "most": 32768}}
    if n:
        usage["cpu"] = {"used": cpu, "most": 2}
    return {"instances": n, "pss": pss if n else None, "usage": usage}


def ramp(each=100 << 20, held=50 << 20, cpu=0.0, shape=lambda n: n):
    looks = [look(n, 2 * GIB + each * shape(n), held * n, 3 * n, cpu * n) for n in (0, 1, 5, 10, 20)]
    return {"looks": looks, "startups": [{"running": n, "ready_ns": 1e6} for n in range(20)], "failure": None}


def test_what_one_more_takes_and_what_was_used_without_any():
    found = fits([ramp()] * 6)
    assert found["memory"].each.value == pytest.approx(100 << 20)
    assert found["memory"].base == 2 * GIB
    assert found["pids"].each.value == pytest.approx(3)
    assert found["memory"].holds


def test_cpu_that_is_noise_is_no_limit_and_more_is():
    assert "cpu" not in fits([ramp(cpu=0.0001)])
    assert fits([ramp(cpu=0.01)])["cpu"].each.value == pytest.approx(0.01)


def test_the_dearer_of_what_the_host_lost_and_what_the_processes_hold():
    assert fits([ramp(each=10 << 20)])["memory"].by == PSS
    assert fits([ramp()])["memory"].by == "MemAvailable"


def test_memory_that_others_took_meanwhile_is_not_on_a_line_and_what_the_processes_hold_is():
    found = fits([ramp(shape=lambda n: (n > 5) * 20)])["memory"]
    assert (found.by, found.holds) == (PSS, True)


def test_a_curve_does_not_hold():
    bent = ramp(held=0, shape=lambda n: n**3)
    for one in bent["looks"]:
        one["pss"] = None
    assert not fits([bent])["memory"].holds


def test_two_points_are_always_on_a_line_and_so_not_enough():
    short = ramp()
    short["looks"] = short["looks"][:3]
    with pytest.raises(InputError, match="too short") as caught:
        fits([short])
    assert "upto" in caught.value.hint


@pytest.mark.parametrize("n", [5, 6, 9, 13])
def test_the_interval_by_rank_encloses_the_median_as_often_as_it_says(n):
    """Exactly: over every way in which n values can fall on either side of the median."""
    values = list(range(1, n + 1))
    found = estimate(values)
    below = values.index(found.low)
    covered = sum(below < sum(sides) < n - below for sides in itertools.product((0, 1), repeat=n)) / 2**n
    assert found.confident is (n >= 6)
    assert covered >= 0.95 or not found.confident
    tighter = sum(math.comb(n, k) for k in range(below + 2, n - below - 1)) / 2**n
    assert tighter < 0.95 or not found.confident


def test_nothing_is_taken_where_the_interval_holds_nothing():
    each = estimate([-1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert not Fit("pids", "pids", each, 0, 1, 0.0).takes


def starts(time_of):
    return {"startups": [{"running": n, "ready_ns": time_of(n)} for n in range(40)]}


def test_starts_that_grow_along_a_line_fill_a_host_in_the_sum_of_them():
    found = growth([starts(lambda n: 1e6 + 1e5 * n)] * 6)
    assert found.each.value == pytest.approx(1e5)
    assert found.holds
    first, count = found.first, 1000
    assert found.fill(count) == pytest.approx(sum(first + 1e5 * n for n in range(count)))


def test_a_ramp_that_ended_early_is_no_obstacle():
    short = {"startups": starts(lambda n: 1e6 + 1e5 * n)["startups"][:5]}
    assert growth([starts(lambda n: 1e6 + 1e5 * n), short]).holds


def test_starts_that_do_not_grow_are_flat_and_ones_that_explode_hold_no_line():
    blocks = [starts(lambda n, b=b: 1e6 + ((n * 7 + b * 5) % 11) * 1e3) for b in range(6)]
    assert growth(blocks).flat
    assert not growth([starts(lambda n: 1e6 + 1e3 * n**4)] * 6).holds
