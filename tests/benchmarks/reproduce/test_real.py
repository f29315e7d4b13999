"""A reproduction from end to end with what is really there: programs of ours in a process and in a container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.benchmarks.reproduce import Here, Plan
from isoscope.benchmarks.reproduce.carry_out import Extent, carry_out
from isoscope.benchmarks.reproduce.recipes.felter2014.linpack import Linpack
from isoscope.core import Lab

pytestmark = [pytest.mark.root, pytest.mark.slow]


class WithoutMachines(Linpack):
    """As short as can be."""

    def plan(self, here: Here, *, quick: bool) -> Plan:
        whole = super().plan(here, quick=quick)
        return replace(whole, systems=whole.systems[:2], benchmarks=("cpu:tool=linpack,time=0.1s",))


def test_a_study_is_repeated_for_real(lab: Lab, tmp_path: Path) -> None:
    run, found = carry_out(lab, WithoutMachines(), tmp_path / "run", Extent(blocks=1, seed=1), lambda _: None)
    assert not run.failed
    by_system = {row.system: row for row in found.rows}
    assert by_system["native"].ours is not None
    assert 0.05 < by_system["native"].ours.value < 1000, "GFLOPS of one thread"
    ratio = by_system["docker"].ratio
    assert ratio is not None
    assert ratio.value > 0
    assert by_system["docker"].verdict == "not comparable", "one block has no interval"
    assert "nothing stands for kvm-tuned" in by_system["kvm-tuned"].reason
    assert [one.ratio.blocks for one in found.noise] == [1]
    assert json.loads((tmp_path / "run/reproduction.json").read_text()) == found.as_dict()
    assert (tmp_path / "run/reproduction.html").exists()
    assert (tmp_path / "run/report.html").exists()
