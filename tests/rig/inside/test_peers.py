"""Peers that make cgroups by themselves, on a host that has version 2 alone."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from isoscope.core import Exit, Resources, Workload

COUNT = "echo up; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"


@pytest.mark.parametrize("backend", ["nspawn", "lxc"])
def test_a_life_and_a_limit(lab, backend):
    hierarchies = Path("/proc/self/cgroup").read_text().count("\n")
    with lab.start(Workload(command=("sh", "-c", COUNT)), backend) as instance:
        instance.wait_ready(120)
        assert len(instance.processes()) >= 2, "the peer's own process, and the command's"
        assert instance.stats().pids >= 2
        instance.pause()
        instance.resume()
        instance.kill(signal.SIGKILL)
        assert instance.wait(60) == Exit(signal=signal.SIGKILL)
    greedy = Workload(command=("tail", "/dev/zero"), resources=Resources(memory=64 << 20, cpus=1, pids=50))
    with lab.start(greedy, backend) as instance:
        assert instance.wait(120) == Exit(signal=signal.SIGKILL, oom_killed=True)
    lab.close()
    assert Path("/proc/self/cgroup").read_text().count("\n") == hierarchies, "one more was made"
    left = subprocess.run(["find", "/sys/fs/cgroup", "-name", "isoscope*"], check=True, capture_output=True, text=True)
    assert left.stdout == ""


@pytest.mark.parametrize("variant", ["oci:runtime=crun", "bubblewrap"])
def test_a_limit_of_one_that_leaves_no_process_of_its_own_or_gets_its_cgroup_from_us(lab, variant):
    greedy = Workload(command=("tail", "/dev/zero"), resources=Resources(memory=64 << 20, cpus=1, pids=50))
    with lab.start(greedy, variant) as instance:
        assert instance.wait(120) == Exit(signal=signal.SIGKILL, oom_killed=True)
    lasting = ("sh", "-c", "echo up; sleep 2; exit 7")  # here it can be over before anybody has looked at it
    with lab.start(Workload(command=lasting), variant) as instance:
        assert instance.wait(120) == Exit(code=7)
        assert "isoscope" in instance.proof()["cgroup"]
