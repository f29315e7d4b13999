"""Cgroups: on plain files for layouts that this host may not have, and on the kernel's own for what they do."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from isoscope.backends.launcher import cgroups
from isoscope.backends.launcher.cgroups import UNIFIED, Cgroup, SetLimit, Tree
from isoscope.backends.launcher.step import Scene
from isoscope.core.errors import HostError
from isoscope.core.workload import Resources

ALL = Resources(cpus=1.5, memory=(64 << 20) + 5, pids=9)


def mountinfo(*entries: tuple[Path, str, str, str]) -> str:
    return "".join(f"30 20 0:26 {root} {point} rw - {fs} cgroup rw,{options}\n" for point, root, fs, options in entries)


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    """A tree of version 2, as far as plain files can be one."""
    top = tmp_path / "cgroup"
    top.mkdir()
    (top / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (top / "cgroup.subtree_control").write_text("")
    (top / "cgroup.procs").write_text("")
    return top


def tree_of(v2: Path, own: str = "0::/\n", *, root: bool = True) -> Tree:
    return Tree.discover(mountinfo((v2, "/", "cgroup2", "nsdelegate")), own, root=root)


def carry_out(cgroup: Cgroup, files: dict[str, str] | None = None) -> None:
    """Carry out the steps; a plain directory lacks the files that the kernel would put in a cgroup."""
    for step in cgroup.steps():
        if isinstance(step, SetLimit) and files is None:
            Path(step.path).touch()
        step.execute(Scene({}))


def test_version_2_alone(v2):
    tree = tree_of(v2)
    assert tree.folders == {UNIFIED: v2 / "isoscope"}
    assert tree.controllers() == {"cpu", "memory", "pids"}
    (v2 / "isoscope").mkdir()
    (v2 / "isoscope/cgroup.subtree_control").write_text("cpu")
    cgroup = tree.cgroup("isoscope-x", ALL)
    tree.prepare(cgroup)
    assert (v2 / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (v2 / "isoscope/cgroup.subtree_control").read_text().startswith("+memory +pids")
    carry_out(cgroup)
    place = v2 / "isoscope/isoscope-x"
    assert cgroup.unified == str(place)
    assert cgroup.legacy == ()
    assert (place / "cpu.max").read_text() == "150000 100000"
    assert (place / "memory.max").read_text() == str(64 << 20)
    assert (place / "memory.swap.max").read_text() == "0"
    assert (place / "pids.max").read_text() == "9"


def test_version_2_statistics(v2):
    place = v2 / "isoscope/m"
    place.mkdir(parents=True)
    (place / "cpu.stat").write_text("usage_usec 1234\nuser_usec 1000\n")
    (place / "memory.current").write_text("4096\n")
    (place / "memory.peak").write_text("8192\n")
    (place / "cgroup.threads").write_text("1\n2\n3\n")
    (place / "memory.events").write_text("low 0\noom 1\noom_kill 1\noom_group_kill 0\n")
    cgroup = tree_of(v2).cgroup("m", Resources())
    stats = cgroup.stats()
    assert (stats.cpu_ns, stats.memory, stats.memory_peak, stats.pids) == (1_234_000, 4096, 8192, 3)
    assert cgroup.oom_killed()
    (place / "memory.events").write_text("oom_kill 0\n")
    assert not cgroup.oom_killed()
    (place / "memory.peak").unlink()  # kernels before 5.19 have none
    assert cgroup.stats().memory_peak is None


def test_a_limit_that_the_kernel_changes_is_an_error():
    step = SetLimit("/proc/self/comm", "a name that is too long for it")
    with pytest.raises(OSError, match="a name that is "):
        step.execute(Scene({}))


def test_the_hybrid_layout(v2, tmp_path):
    (v2 / "cgroup.controllers").write_text("\n")
    entries = [(v2, "/", "cgroup2", "")]
    for name in ("cpu,cpuacct", "memory", "pids", "freezer", "blkio"):
        (tmp_path / name).mkdir()
        entries.append((tmp_path / name, "/", "cgroup", name))
    tree = Tree.discover(mountinfo(*entries), "0::/\n", root=True)
    assert tree.controllers() == {"cpu", "memory", "pids"}
    cgroup = tree.cgroup("m", Resources())
    assert set(cgroup.directories) == {UNIFIED, "memory"}
    cgroup = tree.cgroup("m", ALL)
    assert set(cgroup.legacy) == {str(tmp_path / name / "isoscope/m") for name in ("cpu,cpuacct", "memory", "pids")}
    tree.prepare(cgroup)
    carry_out(cgroup)
    assert (tmp_path / "cpu,cpuacct/isoscope/m/cpu.cfs_quota_us").read_text() == "150000"
    assert (tmp_path / "memory/isoscope/m/memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (tmp_path / "pids/isoscope/m/pids.max").read_text() == "9"
    assert not (tmp_path / "freezer/isoscope").exists()


def test_what_is_not_delegated_is_named_with_what_is(v2):
    (v2 / "cgroup.controllers").write_text("memory\n")
    tree = tree_of(v2)
    with pytest.raises(HostError, match=r"'cpu' is not delegated here: available memory") as raised:
        tree.cgroup("m", ALL)
    assert "Delegate=" in raised.value.hint
    assert not (v2 / "isoscope").exists()


@pytest.mark.root
def test_a_user_gets_the_highest_cgroup_that_is_delegated():
    """Above it are others' cgroups, into which nothing of the user's can be moved."""
    with tempfile.TemporaryDirectory(prefix="isoscope-test-") as top:
        delegated = Path(top, "user.slice/user@7.service")
        own = delegated / "app.slice/x.scope"
        own.mkdir(parents=True)
        for place in (delegated, own.parent, own):
            (place / "cgroup.controllers").write_text("memory pids\n")
            (place / "cgroup.procs").touch()
            os.chown(place, 65534, 65534)
            os.chown(place / "cgroup.procs", 65534, 65534)
        Path(top).chmod(0o755)
        found = as_nobody(lambda: tree_of(Path(top), f"0::/{own.relative_to(top)}\n", root=False).folders[UNIFIED])
        assert found == str(delegated / "isoscope")
        found = as_nobody(lambda: tree_of(Path(top), "0::/user.slice\n", root=False).folders)
        assert found == "{}"


def as_nobody(work: Callable[[], object]) -> str:
    """What a function gives, as text, when another user calls it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as answer:
        return answer.read().decode()


def test_no_cgroup_at_all_is_no_cgroup():
    tree = Tree.discover("", "", root=True)
    cgroup = tree.cgroup("m", Resources())
    tree.prepare(cgroup)
    assert (cgroup.steps(), cgroup.unified, cgroup.legacy, cgroup.can_freeze) == ([], None, (), False)
    assert cgroup.stats() == type(cgroup.stats())()
    cgroup.end()
    with pytest.raises(HostError):
        tree.cgroup("m", ALL)


@pytest.mark.parametrize(
    "recorded",
    [None, [], "x", {"memory": "/sys/fs/cgroup/memory"}, {"memory": "/sys/fs/cgroup/isoscope/../isoscope/isoscope-1"},
     {"memory": "/sys/fs/cgroup/memory/isoscope/isoscope-2"}, {"unified": "/isoscope-1"}],
)  # fmt: skip
def test_only_directories_of_the_instance_are_taken_from_a_record(recorded):
    assert Cgroup.recorded(recorded, "isoscope-1").directories == {}


def test_a_directory_of_the_instance_is():
    recorded = {"memory": "/sys/fs/cgroup/memory/isoscope/isoscope-1"}
    assert Cgroup.recorded(recorded, "isoscope-1").directories == recorded


# On the kernel's own.

SLEEPERS = "for i in 1 2 3; do setsid sleep 1000 & done; sleep 1000"


def real(kind: str, mark: str, resources: Resources) -> Cgroup:
    """The host's own layout, or the part of it that is version 1's."""
    tree = Tree.discover()
    if kind == "version 1":
        tree = Tree({name: folder for name, folder in tree.folders.items() if name != UNIFIED})
    cgroup = tree.cgroup(mark, resources)
    tree.prepare(cgroup)
    return cgroup


def kinds() -> list[str]:
    legacy = any(name != UNIFIED for name in Tree.discover().folders)
    return ["the host's own", *(["version 1"] if legacy else [])]


@pytest.fixture(params=kinds())
def busy(request):
    """A cgroup with a shell and its children in it."""
    cgroup = real(request.param, f"isoscope-test-{os.getpid()}", Resources(pids=50))
    carry_out(cgroup, files={})
    process = subprocess.Popen(["sh", "-c", f"read x; {SLEEPERS}"], stdin=subprocess.PIPE)
    for path in dict.fromkeys(cgroup.directories.values()):
        cgroups.write(f"{path}/cgroup.procs", str(process.pid))
    process.stdin.write(b"\n")
    process.stdin.close()
    yield cgroup
    cgroup.kill()
    process.wait()
    cgroup.remove()
    Tree.discover().clean()


def await_tasks(cgroup: Cgroup, count: int) -> None:
    while (cgroup.stats().pids or 0) < count:
        os.sched_yield()


@pytest.mark.root
def test_freeze_stops_and_thaw_goes_on(busy):
    await_tasks(busy, 4)
    busy.freeze()
    before = busy.stats().cpu_ns
    assert busy.can_freeze
    if busy.unified is not None:
        assert "frozen 1" in cgroups.read(f"{busy.unified}/cgroup.events")
    else:
        assert cgroups.read(f"{busy.directories['freezer']}/freezer.state") == "FROZEN"
    assert busy.stats().cpu_ns == before
    busy.thaw()


@pytest.mark.root
@pytest.mark.parametrize("frozen", [False, True])
def test_kill_takes_everything_frozen_or_not(busy, frozen):
    await_tasks(busy, 4)
    if frozen:
        busy.freeze()
    busy.kill()
    assert busy.stats().pids == 0
    busy.kill()


@pytest.mark.root
def test_removal_takes_what_the_instance_made_below(busy):
    place = Path(next(iter(busy.directories.values())))
    (place / "inner/innermost").mkdir(parents=True)
    busy.kill()
    busy.remove()
    busy.remove()
    assert not place.exists()


def test_labs_that_close_meanwhile_do_not_get_in_the_way(tmp_path, monkeypatch):
    """Each takes the empty folder away, at any moment: here, three times right after it was made."""
    tree = Tree({"memory": tmp_path / "isoscope"})
    make_folder, moments = cgroups.make_folder, iter(range(3))

    def make_folder_beside_others(*arguments: object) -> None:
        make_folder(*arguments)
        if next(moments, None) is not None:
            assert tree.clean()

    monkeypatch.setattr(cgroups, "make_folder", make_folder_beside_others)
    cgroup = tree.cgroup("m", Resources())
    tree.prepare(cgroup)
    carry_out(cgroup)
    assert (tmp_path / "isoscope/m").is_dir()
    assert next(moments, None) is None


def test_a_folder_that_was_taken_away_comes_back_with_its_controllers(v2):
    tree = tree_of(v2)
    carry_out(tree.cgroup("m", Resources()))
    assert (v2 / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
