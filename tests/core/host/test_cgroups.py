"""Control groups: layouts read from trees that stand in for other hosts, and groups tried on this one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from isoscope.core.host import Host, Layout, cgroups, scratch

V2 = {
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
    "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/fs/cgroup/user.slice/session-1.scope/cgroup.controllers": "memory pids\n",
}
V1 = {
    "proc/self/mountinfo": (
        "24 23 0:20 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
        "25 24 0:21 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "26 24 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "27 24 0:23 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
        "28 24 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    ),
    "proc/self/cgroup": "4:cpu,cpuacct:/a\n3:memory:/b/c\n2:pids:/\n1:name=systemd:/user.slice\n",
    "sys/fs/cgroup/cpu,cpuacct/a/": "",
    "sys/fs/cgroup/memory/b/c/": "",
    "sys/fs/cgroup/pids/": "",
}
HYBRID = V1 | {
    "proc/self/mountinfo": V1["proc/self/mountinfo"] + "29 24 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
    "proc/self/cgroup": V1["proc/self/cgroup"] + "0::/\n",
    "sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
}


def test_v2(tree) -> None:
    found = cgroups.probe(tree(V2))
    assert (found.layout, found.missing, found.reason) == (Layout.V2, (), "")
    assert list(found.controllers) == ["cpu", "cpuset", "io", "memory", "pids"]
    assert {c.version for c in found.controllers.values()} == {2}
    assert found.top is not None
    assert found.own is not None
    assert found.own.path == Path("/sys/fs/cgroup/user.slice/session-1.scope")
    assert found.own.writable.available
    assert found.controllers["memory"].delegated
    assert not found.controllers["cpu"].delegated, "it is not among the own group's controllers"


def test_v1(tree) -> None:
    found = cgroups.probe(tree(V1))
    assert (found.layout, found.missing) == (Layout.V1, ())
    assert list(found.controllers) == ["cpu", "cpuacct", "memory", "pids"]
    assert {c.version for c in found.controllers.values()} == {1}
    assert (found.top, found.own) == (None, None)
    assert found.controllers["cpu"].own.path == Path("/sys/fs/cgroup/cpu,cpuacct/a")
    assert found.controllers["memory"].top.path == Path("/sys/fs/cgroup/memory")
    assert found.controllers["memory"].own.path == Path("/sys/fs/cgroup/memory/b/c")
    assert all(c.delegated for c in found.controllers.values())


def test_hybrid(tree) -> None:
    found = cgroups.probe(tree(HYBRID))
    assert found.layout is Layout.HYBRID
    assert found.controllers["hugetlb"].version == 2
    assert found.controllers["memory"].version == 1
    assert found.top is not None
    assert found.top.path == Path("/sys/fs/cgroup/unified")


def test_none() -> None:
    found = cgroups.probe(Path("/nonexistent"))
    assert found.layout is Layout.NONE
    assert found.missing == ("cpu", "memory", "pids")
    assert found.remedy.startswith("mount -t cgroup2")


def test_a_group_that_is_not_below_what_is_mounted(tree) -> None:
    # In a container without a cgroup namespace: its own group is the mount's root.
    mountinfo = "30 23 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    files = V2 | {"proc/self/mountinfo": mountinfo}
    assert cgroups.probe(tree(files | {"proc/self/cgroup": "0::/docker/1\n"})).own.path == Path("/sys/fs/cgroup")


def test_a_group_that_cannot_be_named(tree) -> None:
    mountinfo = "30 23 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    files = V2 | {"proc/self/mountinfo": mountinfo, "proc/self/cgroup": "0::/elsewhere\n"}
    assert cgroups.probe(tree(files)).own.path == Path("/sys/fs/cgroup")


def test_a_mount_point_with_a_blank(tree) -> None:
    files = {
        "proc/self/mountinfo": "30 23 0:26 / /cgroup\\040two rw - cgroup2 cgroup2 rw\n",
        "proc/self/cgroup": "0::/\n",
        "cgroup two/cgroup.controllers": "cpu memory pids\n",
    }
    assert cgroups.probe(tree(files)).missing == ()


@pytest.mark.parametrize(
    ("line", "reason", "remedy"),
    [
        ("memory 0 1 0", "disabled", "cgroup_enable=memory"),
        ("memory 0 1 1", "not mounted", "mount -t cgroup -o memory"),
        ("", "has no controller", "boot a kernel"),
    ],
)
def test_a_missing_controller(tree, line: str, reason: str, remedy: str) -> None:
    without = "".join(line + "\n" for line in V1["proc/self/mountinfo"].splitlines() if "memory" not in line)
    head = "#subsys_name hierarchy num_cgroups enabled\npids 2 1 1\n"
    found = cgroups.probe(tree(V1 | {"proc/self/mountinfo": without, "proc/cgroups": f"{head}{line}\n"}))
    assert found.missing == ("memory",)
    assert reason in found.reason
    assert remedy in found.remedy


@pytest.mark.parametrize("text", ["", "garbage\n", "30 23 - cgroup2\n", "1 2 3 4 5 6 - cgroup cgroup rw,cpu\n"])
def test_files_that_make_no_sense(tree, text: str) -> None:
    # The last of these mounts at a path that is not absolute.
    found = cgroups.probe(tree({"proc/self/mountinfo": text, "proc/self/cgroup": "garbage\n"}))
    assert found.missing


def test_a_group_that_cannot_be_made_is_told_with_its_reason(tree) -> None:
    files = {name: text for name, text in V1.items() if name != "sys/fs/cgroup/pids/"}
    found = cgroups.probe(tree(files | {"sys/fs/cgroup/pids": "a file"}))
    assert not found.controllers["pids"].delegated
    reason = found.controllers["pids"].own.writable.reason
    assert reason.startswith("no group can be made in ")
    assert reason.endswith("/sys/fs/cgroup/pids: Not a directory")


def test_no_group_is_left_and_abandoned_ones_go(tree) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    groups = tree(V1) / "sys/fs/cgroup/pids"
    abandoned = groups / f"isoscope-probe-{ended.pid}-0badcafe"
    in_use = groups / f"isoscope-probe-{os.getpid()}-0badcafe"
    stranger = groups / "isoscope-other"
    for path in (abandoned, in_use, stranger):
        path.mkdir()
    cgroups.probe(groups.parents[3])
    assert sorted(groups.iterdir()) == sorted([in_use, stranger])


def test_this_host(home: Path) -> None:
    found = Host(home).cgroups
    mounts = Path("/proc/self/mountinfo").read_text()
    versions = (" - cgroup " in mounts, " - cgroup2 " in mounts)
    layouts = {(True, False): Layout.V1, (True, True): Layout.HYBRID, (False, True): Layout.V2}
    assert found.layout is layouts.get(versions, Layout.NONE)
    for controller in found.controllers.values():
        for group in (controller.top, controller.own):
            assert group.path.is_dir()
            assert group.writable.available == os.access(group.path, os.W_OK), group
            assert not scratch.abandoned(group.path)
