"""What the kernel counts."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from isoscope.benchmarks.proc import Ticks, meminfo


def test_sizes_are_bytes_and_counts_are_left_out() -> None:
    text = "MemTotal:  10 kB\nMemAvailable:   5 kB\nHugePages_Total:  7\nnonsense\nMemFree: many kB\n"
    assert meminfo(text) == {"MemTotal": 10240, "MemAvailable": 5120}
    assert 0 < meminfo()["MemAvailable"] <= meminfo()["MemTotal"]


def test_the_host_has_ticks_of_each_kind() -> None:
    earlier, later = Ticks.now(), Ticks.now()
    assert 0 < earlier.idle < earlier.total
    assert 0 < earlier.busy < earlier.total
    assert all(part >= 0 for part in astuple(later - earlier)), "they only grow"


def test_idle_time_is_a_share_of_what_has_passed() -> None:
    passed = Ticks(120, 15, 9) - Ticks(100, 10, 5)
    assert (passed.busy, passed.idle_share) == (20 - 5 - 4, 0.25)
    assert (passed - passed).idle_share is None


@pytest.mark.parametrize("text", ["", "MemTotal", "MemTotal: kB kB"])
def test_what_is_no_account_holds_nothing(text: str) -> None:
    assert meminfo(text) == {}
