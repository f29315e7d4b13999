"""LXC: its configuration, what it is told not to keep, and what becomes of it when it goes wrong."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.launcher.cgroups import UNIFIED, Tree
from isoscope.backends.lxc import config
from isoscope.backends.lxc.groups import Groups
from isoscope.core import Exit, Mount, Network, Resources
from isoscope.core.errors import ImageError, InputError

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("lxc-start") is None, reason="make peers installs it"),
]

V2 = Tree({UNIFIED: Path("/cg/isoscope")}, frozenset({"cpu", "memory", "pids"}))
V1 = Tree({name: Path(f"/cg/{name}/isoscope") for name in ("cpu", "memory", "pids", "freezer")})


@pytest.fixture
def box(workshop):
    return workshop("lxc")


@pytest.fixture
def lines(box):
    """The configuration of a launch, of which nothing is made."""

    def text(*arguments, tree=V2, netns="", image=None, **terms):
        launch = box.launch(*(arguments or ("true",)), image=image, **terms)
        try:
            return config.text(
                launch, Path("/tree"), Groups(tree, launch.record.mark, Path("/told it")), netns
            ).splitlines()
        finally:
            launch.record.forget()

    return text


def test_limits_are_its_own_keys_in_both_versions(lines):
    wanted = Resources(cpus=0.5, memory=(64 << 20) + 5, pids=9)
    new, old = (set(lines(resources=wanted, tree=tree)) for tree in (V2, V1))
    assert {
        "lxc.cgroup2.cpu.max = 50000 100000",
        "lxc.cgroup2.memory.max = 67108864",
        "lxc.cgroup2.pids.max = 9",
    } <= new
    assert {"lxc.cgroup.cpu.cfs_quota_us = 50000", "lxc.cgroup.memory.limit_in_bytes = 67108864"} <= old
    assert "lxc.cgroup.pids.max = 9" in old
    assert not [line for line in new if line.startswith("lxc.hook")]
    (hook,) = [line for line in old if line.startswith("lxc.hook")]
    assert hook.endswith("/payload/memory.oom_control '/told it' #")


def test_every_cgroup_is_below_the_instances(lines):
    named = [line.partition(" = ")[2] for line in lines() if line.startswith("lxc.cgroup.dir.")]
    assert len(named) == 3
    assert all(name.startswith("isoscope/isoscope-") for name in named)


def test_fields_of_a_mount_keep_their_spaces(lines, tmp_path):
    source = tmp_path / "a b"
    source.mkdir()
    (tmp_path / "file").touch()
    mounts = (
        Mount(source, PurePosixPath("/in/er"), read_only=True),
        Mount(tmp_path / "file", PurePosixPath("/in")),
    )
    entries = [line for line in lines(mounts=mounts) if line.startswith("lxc.mount.entry")]
    assert entries == [
        f"lxc.mount.entry = {tmp_path}/file in none bind,rw,create=file 0 0",
        f"lxc.mount.entry = {tmp_path}/a\\040b in/er none bind,ro,create=dir 0 0",
    ], "outer ones first"


def test_nothing_becomes_a_line_of_its_own(lines):
    with pytest.raises(InputError, match=r"line break in lxc\.init\.cwd"):
        lines(working_directory="/\nlxc.hook.pre-start = /bin/false")
    assert not [line for line in lines(environment={"A": "b\nlxc.hook.stop = x"}) if "hook" in line]


def test_what_it_would_change_is_refused(lines):
    with pytest.raises(InputError, match="white space"):
        lines(environment={"A": "b "})


def test_users_are_numbers(lines):
    got = lines(image={"user": "7:8"})
    assert {"lxc.init.uid = 7", "lxc.init.gid = 8"} <= set(got)
    with pytest.raises(InputError, match="takes numbers"):
        lines(image={"user": "nobody-here"})


def test_the_network_decides_what_it_joins(lines):
    assert "lxc.net.0.type = empty" in lines()
    assert "lxc.net.0.type = none" in lines(network=Network.HOST)
    bridged = lines(network=Network.BRIDGE, netns="/proc/1/fd/2")
    assert "lxc.namespace.share.net = /proc/1/fd/2" in bridged
    assert not [line for line in bridged if line.startswith("lxc.net.")]


@pytest.mark.parametrize(("name", "terms"), [
    ("dev", {}), ("in", {"mounts": True}), ("etc", {"network": Network.HOST}), ("work", {"working_directory": "/work"}),
])  # fmt: skip
def test_a_link_of_the_image_leads_it_nowhere(box, tmp_path, name, terms):
    (tmp_path / "host").mkdir()
    (box.layer / name).symlink_to(f"../../../../../../../..{tmp_path}/host")
    if "mounts" in terms:
        terms = {"mounts": (Mount(tmp_path, PurePosixPath("/in/made here")),)}
    with pytest.raises(ImageError, match=f"the image's link '{name}'"):
        box.create("true", **terms)
    assert os.listdir(tmp_path / "host") == []


def test_nobody_else_reads_the_configuration(box):
    instance = box.create("true", environment={"SECRET": "x"})
    assert (instance.record.directory / "lxc.conf").stat().st_mode & 0o777 == 0o600


def test_nothing_stays_when_it_is_killed_itself(box):
    instance = box.start("sh", "-c", "setsid sleep 1000 & echo up; sleep 1000")
    instance.wait_ready(60)
    mark, place = instance.record.mark, instance.record.directory
    assert (Path("/run/lxc") / place.relative_to("/") / "monitor-fifo").exists()
    for pid in instance.processes():
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"lxc-start"):
            os.kill(pid, signal.SIGKILL)
    assert instance.wait(60) == Exit(signal=signal.SIGKILL)
    instance.delete()
    assert list(Path("/run/lxc").glob(f"**/{place.name}")) == []
    assert list(Path("/run/lxc").glob(f"**/.{mark}")) == []
    assert list(Path("/sys/fs/cgroup").glob(f"**/{mark}")) == []


def test_a_script_without_its_interpreter_is_told_of(box):
    (box.layer / "script").write_text("#!/no/such/program\n")
    (box.layer / "script").chmod(0o755)
    ran = box.run("/script")
    assert ran.how == Exit(code=1)
    assert 'No such file or directory - Failed to exec "/script"' in ran.err


@pytest.mark.parametrize(("script", "said"), [
    ("echo 4.0.6", "too old"), ("echo BusyBox", "not LXC's"), ("echo no >&2; exit 4", "failed: no"),
])  # fmt: skip
def test_another_program_of_its_name(lab, program_on_path, script, said):
    program_on_path("lxc-start", script)
    (lack,) = lab.backend("lxc").lacks()
    assert said in lack.what


def test_one_that_cannot_make_a_container_here(lab, program_on_path):
    version = "if [ $1 = --version ]; then echo 5.0.2; exit; fi"
    program_on_path("lxc-start", f"{version}; echo 'Failed to initialize cgroup driver' >&2; exit 1")
    (lack,) = lab.backend("lxc").lacks()
    assert "Failed to initialize cgroup driver" in lack.what
    assert lack.remedy.startswith("mount cgroup")


def test_one_that_is_not_there(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (lack,) = lab.backend("lxc").lacks()
    assert lack.remedy == "apt-get install --no-install-recommends lxc"
