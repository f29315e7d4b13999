"""Steps, slopes and capacities, against data of which the answer is known."""

from __future__ import annotations

import pytest
from isoscope.benchmarks.density import limits
from isoscope.benchmarks.density.capacity import Capacity, capacity, slope
from isoscope.benchmarks.density.estimate import Estimate
from isoscope.benchmarks.density.limits import Usage
from isoscope.benchmarks.density.look import Look
from isoscope.benchmarks.density.options import Floor
from isoscope.benchmarks.density.steps import steps
from isoscope.core.errors import InputError

GIB = 1 << 30
MIB = 1 << 20


def look(instances: int, *, used: int, pss: int | None, cpu: float = 0.0, **usage: Usage) -> Look:
    """A look at a host of 16 GiB with a floor of 1 GiB, on which so much memory is used."""
    return Look(
        instances=instances,
        available=16 * GIB - used,
        slab=0,
        keeper_pss=0,
        pss=pss,
        cgroup_memory=None,
        idle=1.0,
        cpu=cpu,
        ksm="off",
        usage={limits.MEMORY: Usage(used, 15 * GIB), limits.CPU: Usage(cpu, 4), **usage},
        missing="" if pss is not None else "another user's",
    )


def ramp(*counts: int, each: int, first: int = 0, pss: int | None = None, cpu: float = 0.0) -> Estimate:
    """A ramp of which each instance takes `each` bytes, and the first one `first` more; 1 GiB was used before."""
    looks = [
        look(n, used=GIB + first + each * n, pss=(pss or each) * n, cpu=cpu * n, pids=Usage(100 + 3 * n, 1000))
        for n in counts
    ]
    return Estimate(look(0, used=GIB, pss=0, pids=Usage(100, 1000)), looks, Floor(size=GIB))


@pytest.mark.parametrize(
    ("upto", "expected"),
    [(1, [1]), (2, [1, 2]), (10, [1, 2, 5, 10]), (30, [1, 2, 5, 10, 20, 30]), (200, [1, 2, 5, 10, 20, 50, 100, 200])],
)
def test_steps_are_geometric_and_end_where_they_should(upto, expected):
    assert list(steps(upto)) == expected


def test_a_slope_is_that_of_the_least_squares_line():
    # y = 7 + 3 x with residuals that are orthogonal to 1 and to x
    assert slope([1, 2, 3, 4], [10 + 1, 13 - 3, 16 + 3, 19 - 1]) == pytest.approx(3)
    with pytest.raises(ValueError, match="two different"):
        slope([5, 5], [1, 2])


def test_what_the_first_instance_alone_takes_is_not_in_the_slope():
    estimate = ramp(1, 2, 5, 10, each=10 * MIB, first=500 * MIB, pss=9 * MIB)
    assert estimate.marginal_memory() == (pytest.approx(10 * MIB), "")
    assert estimate.marginal_pss() == (pytest.approx(9 * MIB), "")


def test_one_step_is_compared_with_the_beginning_and_none_tells_nothing():
    assert ramp(4, each=10 * MIB).marginal_memory()[0] == pytest.approx(10 * MIB)
    value, reason = ramp(each=10 * MIB).marginal_memory()
    assert value is None
    assert reason == "a slope needs two steps of the ramp"
    assert ramp(each=10 * MIB).capacity(None) is None


def test_pss_that_cannot_be_read_has_the_reason():
    looks = [look(n, used=GIB + n * MIB, pss=None) for n in (1, 2)]
    assert Estimate(look(0, used=GIB, pss=0), looks, Floor()).marginal_pss() == (None, "another user's")


def test_the_first_limit_to_be_used_up_binds():
    # memory: (15 - 1) GiB / 100 MiB = 143.4; pids: 900 / 3 = 300
    assert ramp(1, 2, 5, each=100 * MIB).capacity(None) == Capacity(143, "memory")
    # memory: 14 GiB / 10 MiB = 1433
    assert ramp(1, 2, 5, each=10 * MIB).capacity(None) == Capacity(300, "pids")
    # cpu: 4 / 0.02 = 200
    assert ramp(1, 2, 5, each=10 * MIB, cpu=0.02).capacity(None) == Capacity(200, "cpu")


def test_of_another_host_only_the_memory_differs():
    # (8 - 1 - 1) GiB / 100 MiB = 61.4; more memory than the pids are enough for
    assert ramp(1, 2, 5, each=100 * MIB).capacity(8 * GIB) == Capacity(61, "memory")
    assert ramp(1, 2, 5, each=100 * MIB).capacity(1024 * GIB) == Capacity(300, "pids")


def test_a_host_too_small_takes_none():
    assert ramp(1, 2, each=100 * MIB).capacity(GIB) == Capacity(0, "memory")


def test_processes_hold_what_they_hold_whatever_the_host_says():
    """Where others free memory meanwhile, MemAvailable alone would let any number fit."""
    assert ramp(1, 2, 5, each=-MIB, pss=100 * MIB).capacity(None) == Capacity(143, "memory")


def test_a_little_cpu_time_is_noise():
    # 2 instances took 0.03 of 4 CPUs: by that line, 267 would fit
    assert ramp(1, 2, each=10 * MIB, cpu=0.015).capacity(None) == Capacity(300, "pids")


def test_what_is_not_used_binds_nothing():
    assert capacity({"pids": Usage(5, 10)}, {"pids": 0.0}) == Capacity(None, "none that is known")


@pytest.mark.parametrize(("text", "expected"), [("10%", 160), ("0%", 0), ("12.5%", 200), ("512", 512)])
def test_a_floor_is_a_share_or_a_size(text, expected):
    assert Floor.read(text).of(1600) == expected


@pytest.mark.parametrize("text", ["100%", "-1%", "x%", "much", "%"])
def test_a_floor_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        Floor.read(text)
