"""Which hierarchies a peer is followed into."""

from __future__ import annotations

from pathlib import Path

from isoscope.backends.launcher.cgroups import UNIFIED, Cgroup, Tree
from isoscope.backends.peer.hierarchies import widened

HYBRID = """\
30 20 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 20 0:27 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
32 20 0:28 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
33 20 0:29 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
34 20 0:30 / /srv rw,relatime - ext4 /dev/x rw
"""


def test_every_hierarchy_of_version_1_is_among_them_once():
    tree = Tree({"cpu": Path("/sys/fs/cgroup/cpu,cpuacct/isoscope"), UNIFIED: Path("/u/isoscope")})
    assert widened(tree, HYBRID).folders == {
        **tree.folders,
        "cpuset": Path("/sys/fs/cgroup/cpuset/isoscope"),
        "systemd": Path("/sys/fs/cgroup/systemd/isoscope"),
    }


def test_version_2_alone_stays_as_it_is():
    tree = Tree({UNIFIED: Path("/sys/fs/cgroup/isoscope")})
    assert widened(tree, "33 20 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n") == tree


def test_what_a_peer_puts_into_cgroups_below_counts(tmp_path):
    for directory, pid in ((tmp_path, 7), (tmp_path / "payload", 8), (tmp_path / "payload/inner", 9)):
        directory.mkdir(exist_ok=True)
        for name in ("cgroup.procs", "cgroup.threads", "tasks"):
            (directory / name).write_text(f"{pid}\n")
    for key in ("pids", UNIFIED):
        cgroup = Cgroup({key: str(tmp_path)})
        assert sorted(cgroup.processes()) == [7, 8, 9]
        assert cgroup.stats().pids == 3
