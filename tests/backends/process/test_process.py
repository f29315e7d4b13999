"""Plain processes: what they share with the host, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from isoscope.core import Exit, Lab, Mount, Network
from isoscope.core.errors import CommandNotFound, InstanceFailed

pytestmark = pytest.mark.root


def mounted(mark: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line]


def test_everything_but_the_files_is_the_hosts(box):
    names = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    ran = box.sh("; ".join(f"readlink /proc/self/ns/{name}" for name in names) + "; hostname")
    *inside, hostname = ran.out.split()
    assert inside == [os.readlink(f"/proc/self/ns/{name}") for name in names]
    assert hostname == os.uname().nodename
    assert ran.instance.proof()["network"] == "host"
    assert ran.instance.proof()["kernel"] == os.uname().release


def test_the_files_are_the_images_and_changes_are_not_kept(box):
    assert box.sh("echo x > /etc/mark; cat /etc/mark").out == "x\n"
    assert box.sh("cat /etc/mark").how == Exit(code=1)
    assert not Path("/etc/mark").exists()


def test_what_is_mounted_goes_with_the_instance_and_the_hosts_mounts_stay(box):
    before = sorted(os.listdir("/dev")), Path("/proc/self/mountinfo").read_text().splitlines()
    instance = box.create("sleep", "1000")
    assert mounted(instance.record.mark)
    assert {"null", "zero"} <= set(os.listdir(box.lab.home / "mounts" / instance.record.mark / "dev"))
    instance.start()
    instance.delete()
    assert mounted(instance.record.mark) == []
    after = sorted(os.listdir("/dev")), Path("/proc/self/mountinfo").read_text().splitlines()
    assert after[0] == before[0]
    assert set(before[1]) <= set(after[1])


def test_a_daemon_that_left_session_and_parent_is_killed_with_the_instance(box):
    instance = box.start("sh", "-c", "(setsid sh -c 'sleep 1000 & echo up; sleep 1000' &); sleep 1000")
    instance.wait_ready(60)
    assert instance.stats().pids >= 3
    instance.delete()


def test_a_daemon_that_outlives_the_command_does_not_hold_up_its_end(box):
    instance = box.start("sh", "-c", "setsid sleep 1000 & echo out")
    assert instance.wait(60) == Exit(code=0)
    instance.delete()


def test_pause_holds_daemons_too(box):
    instance = box.start("sh", "-c", "setsid sh -c 'echo up; while :; do :; done' & sleep 1000")
    instance.wait_ready(60)
    instance.pause()
    before = Path(f"{instance._cgroup.unified or instance._cgroup.legacy[0]}/cgroup.procs").read_text().split()
    used = instance.stats().cpu_ns
    assert instance.stats().cpu_ns == used
    assert len(before) >= 2
    instance.resume()
    instance.kill(signal.SIGKILL)
    assert instance.wait(60) == Exit(signal=signal.SIGKILL)


def test_volumes(box, tmp_path):
    (tmp_path / "file").write_text("text\n")
    mounts = (
        Mount(tmp_path, PurePosixPath("/new/place"), read_only=True),
        Mount(tmp_path / "file", PurePosixPath("/new/file")),
    )
    ran = box.sh("cat /new/place/file /new/file; touch /new/place/x; echo more >> /new/file", mounts=mounts)
    assert ran.out == "text\ntext\n"
    assert "Read-only" in ran.err
    assert (tmp_path / "file").read_text() == "text\nmore\n"


@pytest.mark.parametrize("name", ["dev", "proc"])
def test_a_link_in_the_image_does_not_lead_our_mounts_outside(box, tmp_path, name):
    target = tmp_path / "host"
    target.mkdir()
    (box.layer / name).symlink_to("../../../../../../.." + str(target))
    ran = box.run("true")
    assert ran.how == Exit(code=0)
    assert os.listdir(target) == []
    assert [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(target) in line] == []


def test_a_resolv_conf_that_leads_nowhere_gets_the_hosts(box):
    """As in the images of distributions with systemd-resolved."""
    (box.layer / "etc").mkdir()
    (box.layer / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    assert box.sh("cat /etc/resolv.conf").out == Path("/etc/resolv.conf").read_text()


def test_a_create_that_fails_halfway_leaves_nothing(box, tmp_path):
    (tmp_path / "v").mkdir()
    launch = box.launch("true", mounts=(Mount(tmp_path / "v", PurePosixPath("/v")),))
    (tmp_path / "v").rmdir()
    with pytest.raises(InstanceFailed, match="open_tree"):
        box.lab.backend("process").create(launch)
    assert mounted(launch.record.mark) == []
    launch.record.forget()


def test_a_command_that_does_not_exist(box):
    instance = box.create("no-such-command")
    with pytest.raises(CommandNotFound):
        instance.start()
    instance.delete()
    assert mounted(instance.record.mark) == []


def test_the_terminal_is_the_hosts(box):
    ran = box.sh("tty", terminal=True)
    assert ran.out.startswith("/dev/pts/")


def test_another_user(box):
    assert box.sh("id -u; id -g", image={"user": "1234:1235"}).out.split() == ["1234", "1235"]


def test_it_says_what_it_lacks_without_root():
    script = (
        "import os; os.setresuid(65534, 65534, 65534); "
        "from isoscope.backends.process.backend import ProcessBackend; "
        "print(ProcessBackend.lacks(ProcessBackend.__new__(ProcessBackend))[0].what)"
    )
    code = f"from isoscope.backends.process.backend import ProcessBackend; {script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "root" in done.stdout


def test_plan_says_what_create_mounts_and_start_runs(lab: Lab, box):
    launch = box.launch("true", network=Network.HOST)
    phases = [step.phase for step in lab.backend("process").plan(launch)]
    assert list(dict.fromkeys(phases)) == ["create", "exec"]
    launch.record.forget()
