"""The rate that guests are told: it is the host's, and a guest that is told another has a clock that runs wrong."""

from __future__ import annotations

import re

import pytest
from isoscope.backends.vm import tsc
from isoscope.benchmarks.inside import run_inside
from isoscope.core import Lab, Workload


def test_two_measurements_agree() -> None:
    first, second = tsc.khz(), tsc.khz.__wrapped__()
    assert first is not None
    assert second is not None
    assert abs(first - second) / first < 0.01  # a guest's kernel would take a hundredth for an error of its own


def test_other_processors_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert tsc.khz.__wrapped__() is None


@pytest.mark.root
def test_a_guest_takes_the_rate_that_it_is_told(lab: Lab) -> None:
    workload = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"))
    with lab.start(workload, "vm:accelerator=tcg") as instance:
        instance.wait_ready(100)
        said = run_inside(instance, ["dmesg"], timeout=30)
    [detected] = re.findall(r"tsc: Detected ([\d.]+) MHz TSC|tsc: Detected ([\d.]+) MHz processor", said)[-1:]
    assert float(detected[0] or detected[1]) * 1000 == tsc.khz()
