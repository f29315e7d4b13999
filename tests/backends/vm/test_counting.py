"""A VM's cgroup: QEMU is in it from the first, with what serves its mounts, and nothing of it stays."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.launcher.cgroups import UNIFIED, Tree
from isoscope.backends.vm import counting
from isoscope.backends.vm.backend import VmBackend
from isoscope.core import Instance, Lab, Mount, Workload
from isoscope.core.errors import HostError
from isoscope.core.registry import process_start_time

pytestmark = [pytest.mark.root, pytest.mark.vm]

SLEEP = ("sh", "-c", "echo up; exec sleep 1000")


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0].rpartition("/")[2]


def cgroup(instance: Instance) -> Path:
    [directory] = instance.record.resources["cgroups"].values()
    return Path(directory)


def anonymous(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


def test_qemu_and_what_serves_its_mounts_are_counted_from_the_first(lab: Lab, tmp_path: Path):
    mount = Mount(tmp_path, PurePosixPath("/mnt"))
    with lab.start(Workload(command=SLEEP, mounts=(mount,)), "vm:memory=96M") as instance:
        instance.wait_ready(120)
        processes = instance.processes()
        assert sorted({command(pid) for pid in processes}) == ["qemu-system-x86_64", "virtiofsd"]
        stats, directory = instance.stats(), cgroup(instance)
        # Memory stays charged to where it was touched first: had QEMU entered once it ran, 60 MiB would be missing.
        assert (stats.memory or 0) > 0.9 * sum(map(anonymous, processes))
        assert (stats.memory_peak or 0) >= (stats.memory or 0)
        assert (stats.cpu_ns or 0) > 10_000_000
    assert not directory.exists()
    assert instance.processes() == ()
    assert [pid for pid in processes if process_start_time(pid) is not None] == []


def test_version_2_alone_does_as_well(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """On a host with nothing else. Here it may lack the controller for memory; what runs is in it all the same."""
    folder = Tree.discover().folders.get(UNIFIED)
    assert folder is not None, "no cgroup of version 2 is mounted"
    monkeypatch.setattr(VmBackend, "_tree", Tree({UNIFIED: folder}))
    with lab.start(Workload(command=SLEEP), "vm") as instance:
        assert cgroup(instance) == folder / instance.record.mark
        assert [command(pid) for pid in instance.processes()] == ["qemu-system-x86_64"]
    assert not (folder / instance.record.mark).exists()


def test_without_a_cgroup_the_machine_runs_and_is_counted_by_its_process(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(VmBackend, "_tree", Tree({}))
    with lab.start(Workload(command=SLEEP), "vm") as instance:
        assert instance.record.resources["cgroups"] == {}
        assert [command(pid) for pid in instance.processes()] == ["qemu-system-x86_64"]
        assert instance.stats().memory


def test_a_cgroup_that_cannot_be_made_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    instance = lab.create(Workload(command=SLEEP), "vm")
    instance._cgroup.directories = {"memory": "/proc/isoscope/cannot"}
    with pytest.raises(HostError, match="cannot make the virtual machine's cgroup: No such file"):
        instance.start()
    instance._cgroup.directories = {}
    instance.delete()


def test_a_pid_that_was_written_before_the_watch_is_entered_at_its_end(tmp_path: Path):
    procs = tmp_path / "cgroup" / "cgroup.procs"
    procs.parent.mkdir()
    procs.touch()
    made = Tree({UNIFIED: tmp_path}).counter("cgroup")
    (tmp_path / "isoscope-x.pid").write_text(str(os.getpid()))
    (tmp_path / "other.pid").write_text("1")
    with counting.entering(made, tmp_path, "*isoscope-x*.pid"):
        pass
    assert procs.read_text() == str(os.getpid())
