"""The plan of a container, and what a host without this or that is told."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.container import probe
from isoscope.backends.container.idmaps import IdMaps
from isoscope.backends.container.namespaces import AwaitMaps, WriteMaps
from isoscope.backends.launcher.client import Launcher
from isoscope.core import Mount, Network, Resources
from isoscope.core.errors import InstanceFailed

pytestmark = pytest.mark.root


def steps(box, **terms):
    launch = box.launch("echo", "hello", **terms)
    try:
        return launch, box.lab.backend("container").plan(launch)
    finally:
        launch.record.forget()


def test_it_names_what_will_be_done_in_the_order_of_the_phases(box, tmp_path):
    mount = Mount(tmp_path, PurePosixPath("/data"), read_only=True)
    launch, plan = steps(
        box, resources=Resources(cpus=0.5, memory=1 << 26, pids=20), network=Network.BRIDGE, mounts=(mount,)
    )
    assert list(dict.fromkeys(step.phase for step in plan)) == ["cgroup", "network", "clone", "rootfs", "exec"]
    text = "\n".join(step.text for step in plan)
    for said in (
        f"isoscope/{launch.record.mark}", "67108864", "'20'", "50000", "clone3 CLONE_PARENT|CLONE_PIDFD|CLONE_NEWNS",
        "bridge", "setns CLONE_NEWNET", "mount overlay", str(launch.rootfs.layers[0]), "pivot_root", "fsopen proc",
        f"open_tree {tmp_path} (rbind ro,nodev)", "move_mount /data", "PR_CAPBSET_DROP", "PR_SET_NO_NEW_PRIVS",
        "SECCOMP_MODE_FILTER", "execve echo hello",
    ):  # fmt: skip
        assert said in text, said


def test_what_is_dropped_is_dropped_before_the_command_runs(box):
    _, plan = steps(box)
    words = [step.text.split()[0] for step in plan if step.phase == "exec"]
    assert words[-1] == "execve"
    assert words[-3:] == ["prctl", "wait", "execve"]
    texts = [step.text for step in plan if step.phase == "exec"]
    assert texts.index(next(t for t in texts if t.startswith("close_range"))) < texts.index(
        next(t for t in texts if t.startswith("chdir"))
    )


def test_the_network_decides_the_namespaces(box):
    for network, has in ((Network.NONE, True), (Network.HOST, False)):
        _, plan = steps(box, network=network)
        clone = next(step.text for step in plan if step.text.startswith("clone3"))
        assert ("CLONE_NEWNET" in clone) is has


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of subordinate ids for a user `ada` with uid 1000, and programs to map them."""
    for name in ("newuidmap", "newgidmap"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.getegid", lambda: 1001)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: type("Entry", (), {"pw_name": "ada"}))
    (tmp_path / "subuid").write_text("eve:100000:65536\nada:200000:10\n# ada:1:1\n1000:300000:5\nada:x:1\n")
    (tmp_path / "subgid").write_text("ada:400000:20\n")
    return tmp_path


def test_subordinate_ids_follow_root_one_range_after_the_other(etc):
    maps = IdMaps.of_caller(etc)
    assert maps.uids == ((0, 1000, 1), (1, 200000, 10), (11, 300000, 5))
    assert maps.gids == ((0, 1001, 1), (1, 400000, 20))
    assert maps.many
    assert maps.has_gid(5)
    assert not maps.has_gid(21)
    assert isinstance(maps.step(), AwaitMaps)


@pytest.mark.parametrize("missing", ["newuidmap", "newgidmap", "subuid", "subgid"])
def test_without_all_that_it_takes_the_caller_is_alone(etc, missing):
    (etc / missing).unlink()
    maps = IdMaps.of_caller(etc)
    assert (maps.uids, maps.gids, maps.many) == (((0, 1000, 1),), ((0, 1001, 1),), False)
    assert maps.step() == WriteMaps(1000, 1001)


class Refusing(Launcher):
    """As on a host that forbids namespaces."""

    def launch(self, *_, **__):
        raise InstanceFailed("phase clone, step 'clone3': Operation not permitted (EPERM)")


@pytest.mark.parametrize(
    ("user", "apparmor", "remedy"),
    [
        (False, None, "root of the host"),
        (True, None, "max_user_namespaces"),
        (True, "0", "max_user_namespaces"),
        (True, "1", "profile"),
    ],
)
def test_what_is_lacking_is_said_with_its_remedy(tmp_path, monkeypatch, user, apparmor, remedy):
    setting = tmp_path / "apparmor_restrict_unprivileged_userns"
    if apparmor is not None:
        setting.write_text(f"{apparmor}\n")
    monkeypatch.setattr(probe, "_APPARMOR", setting)
    maps = IdMaps(((0, 1000, 1),), ((0, 1000, 1),)) if user else None
    (lack,) = probe.lacks(Refusing(), maps)
    assert "EPERM" in lack.what
    assert remedy in lack.remedy
    if apparmor == "1":  # the safe remedy first, the one that opens the host to everybody last
        assert lack.remedy.index("profile") < lack.remedy.index("sysctl")


def test_nothing_is_lacking_here(box):
    assert box.lab.backend("container").lacks() == []
