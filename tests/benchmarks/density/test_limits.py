"""Limits as the kernel tells them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.backends.launcher.cgroups import Tree
from isoscope.benchmarks.density import accounts, limits
from isoscope.benchmarks.density.limits import Usage


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process.pid
        process.kill()


def test_descriptors_and_mounts_of_this_process():
    before = limits.shared()
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
    assert limits.shared()[limits.DESCRIPTORS].used == before[limits.DESCRIPTORS].used + 5
    for fd in fds:
        os.close(fd)
    assert before[limits.MOUNTS].used == len(Path("/proc/self/mountinfo").read_text().splitlines())
    assert before[limits.MOUNTS].most == int(Path("/proc/sys/fs/mount-max").read_text())


def test_tasks_are_held_by_the_lower_of_two_limits():
    lowest = min(int(Path(f"/proc/sys/kernel/{name}").read_text()) for name in ("pid_max", "threads-max"))
    assert limits.tasks(100, 20) == Usage(120, lowest)
    assert limits.running_tasks() > 1


@pytest.mark.root
def test_of_the_cgroups_above_an_instance_the_tightest_counts(sleeper):
    """The instance's own limit is its own affair."""
    folder = Tree.discover().folders.get("pids")
    assert folder is not None, "no cgroup counts tasks here"
    top = folder.parent / "isoscope-test-limits"
    places = [top, top / "between", top / "between" / "instance"]
    try:
        for place, most in zip(places, ("50", "40", "2"), strict=True):
            place.mkdir()
            (place / "pids.max").write_text(most)
        (places[-1] / "cgroup.procs").write_text(str(sleeper))
        assert limits.cgroup_tasks(sleeper) == Usage(1, 40)
    finally:
        os.kill(sleeper, 9)
        os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
        for place in reversed(places):
            place.rmdir()


def test_what_processes_use_is_read_from_the_kernel(sleeper):
    assert 4096 < accounts.pss([sleeper]) < 64 << 20
    assert accounts.tasks([sleeper, os.getpid()]) >= 2
    assert accounts.cpu_clocks([sleeper, 1 << 22]).keys() == {sleeper}
    assert accounts.pss([1 << 22]) == 0  # more than a pid can be
    assert os.getpid() in accounts.keepers([])
    assert sleeper in accounts.keepers([])
    assert sleeper not in accounts.keepers([sleeper])
