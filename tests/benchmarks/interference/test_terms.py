"""Who is given what, and who is not let loose."""

from __future__ import annotations

import os

import pytest
from isoscope.benchmarks.interference import terms
from isoscope.benchmarks.interference.benchmark import Interference
from isoscope.benchmarks.interference.terms import Terms, amount, groups_by_session, memory_available, no_room, relation
from isoscope.benchmarks.request import Request
from isoscope.core import Capabilities, Variant, Workload
from isoscope.core.errors import InputError
from isoscope.core.workload import Resources

OPTIONS = {"memory": 256 << 20, "pids": 64, "unlimited": "no"}
SHARED, OWN = Capabilities(), Capabilities(own_kernel=True)


def of(limits, variant="container", capabilities=SHARED, **resources):
    workload = Workload(resources=Resources(**resources))
    return Terms.of(limits, OPTIONS, workload, Variant.parse(variant), capabilities)


@pytest.mark.parametrize(("cpus", "victim"), [(1, 0.5), (2, 1), (64, 1)])
def test_with_limits_both_together_have_exactly_the_hosts_cpus(monkeypatch, cpus, victim):
    monkeypatch.setattr(terms, "host_cpus", lambda: cpus)
    both = of("on")
    assert both.victim == Resources(cpus=victim, memory=256 << 20, pids=64)
    assert both.victim.cpus + both.neighbour.cpus == cpus


def test_without_limits_there_are_none_but_a_kernel_of_its_own_has_its_cpus(monkeypatch):
    monkeypatch.setattr(terms, "host_cpus", lambda: 8)
    assert of("off").victim == of("off").neighbour == Resources()
    assert of("off", "vm", OWN).neighbour == Resources(cpus=8)


def test_what_a_workload_or_variant_says_itself_stands_in_both_cases():
    assert of("off", memory=1 << 30).victim == Resources(memory=1 << 30)
    assert of("on", "container:pids=10", pids=20).victim.pids == 10
    assert of("off", "container:pids=10").neighbour.pids == 10
    assert of("on", "container:memory=1G").victim.memory == 1 << 30


def test_relations():
    assert relation("cpu", "cpu") == "competing"
    assert relation("disk", "cpu") == "orthogonal"
    assert relation("cpu", "fork-bomb") == "adversarial"


def test_no_neighbour_may_take_more_memory_than_a_quarter_of_what_there_is(monkeypatch):
    monkeypatch.setattr(terms, "memory_available", lambda: 2 << 30)
    assert amount("memory", Resources()) == 512 << 20
    assert amount("memory", Resources(memory=100 << 20)) == 200 << 20
    assert amount("memory", Resources(memory=8 << 30)) == 512 << 20


def test_no_neighbour_takes_what_the_host_has_not(monkeypatch, tmp_path):
    assert no_room("memory", tmp_path) == ""
    monkeypatch.setattr(terms, "memory_available", lambda: 100 << 20)
    assert "memory available" in no_room("memory", tmp_path)
    assert no_room("disk", tmp_path) == ""
    full = os.statvfs_result([4096, 4096, 1000, 10, 10, 0, 0, 0, 0, 255])
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert "free" in no_room("disk", tmp_path)
    assert no_room("cpu", tmp_path) == ""


def test_what_the_kernel_says(tmp_path):
    switch = tmp_path / "autogroup"
    assert 0 < memory_available() < 1 << 50
    assert groups_by_session(switch) is False
    switch.write_text("1\n")
    assert groups_by_session(switch) is True
    switch.write_text("0\n")
    assert groups_by_session(switch) is False


@pytest.mark.parametrize(
    "option",
    [
        "neighbours=foo",
        "neighbours=cpu+",
        "limits=maybe",
        "work=0",
        "work=61",
        "work=x",
        "memory=3Q",
        "memory=3",
        "pids=0",
        f"pids={10**20}",
        "victim=gpu",
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_measured(option):
    with pytest.raises(InputError):
        Request.parse(f"interference:{option}").resolve(Interference.options, quick=False)


def test_options_in_any_order_are_read_in_ours():
    options = {one.name: one for one in Interference.options}
    assert options["neighbours"].read("disk+cpu") == ("cpu", "disk")
    assert options["limits"].read("off+on") == ("on", "off")
