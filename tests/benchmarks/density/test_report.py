"""What a reader sees of density: cautions and plots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.density import benchmark
from isoscope.benchmarks.density.benchmark import Density
from isoscope.benchmarks.density.limits import Usage
from isoscope.benchmarks.density.look import Look, Observer
from isoscope.core import Workload

MIB = 1 << 20


@pytest.fixture
def measured(compare: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Compare on backends in memory, on a host that gives 10 MiB to each instance and has room for 100."""

    def run(options: str, ksm: str = "off", **request: object) -> Run:
        def look(observer: Observer, running: list[object]) -> Look:
            observer.seen = n = len(running)
            usage = {"memory": Usage(10 * MIB * n, 1000 * MIB)}
            return Look(n, 2000 * MIB - 10 * MIB * n, 0, MIB, 9 * MIB * n, 8 * MIB * n, 0.5, 0.0, ksm, usage)

        monkeypatch.setattr(Observer, "look", look)
        return compare(Workload(command=("stay",), name="stay"), benchmarks=(f"density:{options}",), **request)

    return run


def test_the_plots_say_in_words_what_they_show(measured):
    run = measured("upto=5")
    figures = {figure.name: figure for figure in Density().figures(run)}
    assert list(figures) == ["density-pss", "density-used_memory", "density-startup", "density-fits"]
    assert "process: 9 MiB for one more instance" in figures["density-pss"].alternative
    assert "vm (tcg): 10 MiB for one more instance" in figures["density-used_memory"].alternative
    assert "100" in figures["density-fits"].alternative
    assert all(name in figures["density-startup"].alternative for name in ("process", "container", "vm (tcg)"))


def test_slopes_and_capacity_come_out_as_they_went_in(measured):
    run = measured("upto=5,host=1G")
    values = {(one.metric.name, one.labels.get("host")): one.p50 for one in run.results.of("density", role="headline")}
    assert values["density.marginal_pss", None] == pytest.approx(9 * MIB)
    assert values["density.marginal_memory", None] == pytest.approx(10 * MIB)
    assert values["density.fits", "this host"] == 100
    assert values["density.fits", "1 GiB"] == 92  # 1024 MiB less 10 %, by 10 MiB
    assert Density().cautions(run) == [
        "what limits how many fit this host: memory for process, container, vm",
        "what limits how many fit a host of 1 GiB: memory for process, container, vm",
    ]


def test_a_ramp_that_ended_early_is_said(measured, monkeypatch):
    monkeypatch.setattr(Observer, "memory_is_short", lambda observer: observer.seen == 2)
    cautions = Density().cautions(measured("upto=50", backends=("vm",)))
    assert cautions[0] == "vm: a limit of the host, memory, ended 2 ramp(s), at 2 of 50 instances"


def test_ksm_is_said(measured):
    assert any("KSM is on" in line for line in Density().cautions(measured("upto=2", ksm="on, 7 pages saved")))


def test_unequal_requests_that_were_allowed_are_said(measured):
    run = measured("upto=2,unequal=yes", backends=("container:memory=64M", "vm:memory=256M"))
    assert any("unequal resources" in line for line in Density().cautions(run))


def test_memory_that_others_freed_is_said(measured, monkeypatch):
    found = benchmark.Estimate.marginal_memory
    monkeypatch.setattr(benchmark.Estimate, "marginal_memory", lambda self: (-(found(self)[0] or 0), ""))
    cautions = Density().cautions(measured("upto=2", backends=("process",)))
    assert any(line.startswith("process: the host's available memory fell by less") for line in cautions)


def test_a_look_is_plain_data():
    look = Look(1, 2, 3, 4, None, None, None, None, "off", {"pids": Usage(1, 2)}, "why")
    assert look.as_dict()["usage"] == {"pids": {"used": 1, "most": 2}}
    assert replace(look, pss=5).pss == 5
