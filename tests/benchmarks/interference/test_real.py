"""Containers and a VM as victims and neighbours, for real, small, and held by limits."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.benchmarks.interference.benchmark import Interference
from isoscope.benchmarks.interference.neighbour import neighbour
from isoscope.benchmarks.interference.victim import End, Victim
from isoscope.core import Resources
from isoscope.core.errors import CommandNotFound

from .conftest import PATIENT, found, trial

pytestmark = pytest.mark.root

LIMITS = Resources(cpus=1, memory=32 << 20, pids=16)


@pytest.fixture
def workload(lab):
    return lab.workload("victim")


def cgroup_of(record, controller):
    """The instance's own directory in a hierarchy of either version."""
    directories = record.resources["cgroups"]
    return Path(directories.get(controller) or directories["unified"])


def number(path, name=""):
    """A number of a file of the kernel's, after a name where there are several."""
    words = path.read_text().split()
    return int(words[words.index(name) + 1] if name else words[0])


def test_a_container_holds_a_fork_bomb_and_a_memory_hog(lab):
    asked = trial(lab, "container", PATIENT, "work=0.05", "limits=on", "neighbours=memory+fork-bomb", "memory=64M")
    values = list(Interference().measure(asked))
    slowdowns, finished = found(values, "slowdown"), found(values, "finished")
    assert [finished["on", name].value for name in ("memory", "fork-bomb")] == [1, 1]
    bomb, hog = slowdowns["on", "fork-bomb"].labels, slowdowns["on", "memory"].labels
    assert bomb["neighbour_refused"] > 0
    assert bomb["neighbour_tasks"] < 64
    assert hog["neighbour_oom_kills"] > 0
    assert hog["neighbour_bytes"] <= 64 << 20
    assert all(labels["neighbour_active"] for labels in (bomb, hog))
    assert all(labels["neighbour_cpus"] > 0 for labels in (bomb, hog))


def test_the_kernel_never_counts_more_tasks_than_the_limit(lab):
    asked = trial(lab, "container")
    with neighbour(asked, "fork-bomb", amount=256, seconds=60, resources=LIMITS):
        (record,) = lab.registry
        pids = cgroup_of(record, "pids")
        assert number(pids / "pids.max") == 16
        assert number(pids / "pids.events", "max") > 0  # it was refused tasks
        counted = "pids.peak" if (pids / "pids.peak").exists() else "pids.current"
        assert number(pids / counted) <= 16


def test_a_process_is_measured_without_limits_only(lab):
    asked = trial(lab, "process", PATIENT, "work=0.05", "neighbours=cpu+fork-bomb")
    values = list(Interference().measure(asked))
    assert found(values, "finished")["off", "cpu"].value == 1
    assert found(values, "slowdown")["off", "cpu"].labels["neighbour_active"] is True
    for key in (("on", "cpu"), ("on", "fork-bomb"), ("off", "fork-bomb")):
        assert found(values, "slowdown")[key].value is None


@pytest.mark.vm
def test_a_vm_holds_a_memory_hog_in_its_own_memory(lab):
    asked = trial(lab, "vm", PATIENT, "work=0.05", "limits=on", "neighbours=memory", "memory=96M")
    values = list(Interference().measure(asked))
    labels = found(values, "slowdown")["on", "memory"].labels
    assert found(values, "finished")["on", "memory"].value == 1
    assert labels["neighbour_oom_kills"] > 0
    assert labels["accelerator"] in ("tcg", "kvm")


@pytest.mark.parametrize("kind", ["cpu", "memory", "disk"])
def test_a_victim_finishes_and_its_work_takes_time(lab, workload, kind):
    with lab.start(workload, "container") as instance:
        outcome = Victim(instance, kind).run(1, 60)
    assert outcome.end is End.FINISHED
    assert outcome.ns is not None
    assert outcome.ns > 0


def test_a_victim_that_never_ends_is_given_up_and_killed(lab, workload):
    with lab.start(workload, "container") as instance:
        assert Victim(instance, "cpu").run(1 << 40, 0.01).end is End.TIMED_OUT
        assert instance.stats().pids == 1


def test_a_victim_without_memory_is_killed_and_that_is_why(lab, workload):
    with lab.start(replace(workload, resources=LIMITS), "container") as instance:
        assert Victim(instance, "memory").run(1, 60).end is End.OOM_KILLED  # its buffer is twice its limit


def test_a_victim_whose_instance_is_full_says_so(lab, workload):
    with lab.start(replace(workload, resources=replace(LIMITS, pids=1)), "container") as instance:
        outcome = Victim(instance, "cpu").run(1, 60)
    assert outcome.end is End.FAILED
    assert outcome.complaint


def test_an_image_without_the_victim_is_told(lab):
    with lab.start(lab.workload("sleep"), "container") as instance, pytest.raises(CommandNotFound, match="victim"):
        Victim(instance, "cpu").run(1, 60)


HARNESS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import trial
from isoscope.benchmarks.interference.neighbour import neighbour
from isoscope.core import Lab, Resources

with Lab(Path(sys.argv[1])) as lab:
    limits = Resources(cpus=1, memory=32 << 20, pids=16)
    with neighbour(trial(lab, "container"), "fork-bomb", amount=64, seconds=300, resources=limits):
        print("at work", flush=True)
        sys.stdin.read()
"""


def test_neighbours_do_not_outlive_a_killed_harness_and_gc_removes_the_rest(lab):
    lab.images.rootfs("neighbours")
    command = [sys.executable, "-c", HARNESS, str(lab.home), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as harness:
        assert harness.stdout.readline() == b"at work\n"
        (record,) = lab.registry
        inside = [int(pid) for pid in (cgroup_of(record, "pids") / "cgroup.procs").read_text().split()]
        hogs = [os.pidfd_open(inside[0]), os.pidfd_open(inside[-1])]
        harness.kill()
    for hog in hogs:  # before anybody cleans up
        assert select.select([hog], [], [], 60)[0]
        os.close(hog)
    assert any("removed instance" in line for line in lab.gc())
    assert list(lab.registry) == []
