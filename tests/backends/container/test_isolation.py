"""What a container can see and do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.container.caps import DOCKER_DEFAULT
from isoscope.core import Exit, Mount, Network
from isoscope.core.errors import InstanceFailed

pytestmark = pytest.mark.root

STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"
DEVICES = "cd /dev && find . | sort | tr '\\n' ' '"


def fields(text: str) -> dict[str, str]:
    return dict(line.split(":\t") for line in text.splitlines())


def test_capabilities_are_dockers_default_and_nothing_adds_to_them(box):
    status = fields(box.sh(STATUS).out)
    default = f"{sum(1 << number for number in DOCKER_DEFAULT.values()):016x}"
    assert default == "00000000a80425fb"  # as `docker run` gives it
    assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd")] == [default] * 3
    assert [status[name] for name in ("CapInh", "CapAmb")] == ["0" * 16] * 2
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_another_user_has_no_capabilities(box):
    (box.layer / "etc").mkdir()
    (box.layer / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nada:x:1234:1235::/home/ada:/bin/sh\n")
    (box.layer / "etc/group").write_text("root:x:0:\nlab:x:77:eve,ada\nstaff:x:88:ada\n")
    ran = box.sh(f"id -u; id -g; id -G; echo $HOME; echo again > /dev/stdout; {STATUS}", image={"user": "ada"})
    uid, gid, groups, home, again, *status = ran.out.splitlines()
    assert (uid, gid, home, again) == ("1234", "1235", "/home/ada", "again")
    assert groups.split() == ["1235", "77", "88"]
    assert [fields("\n".join(status))[name] for name in ("CapPrm", "CapEff")] == ["0" * 16] * 2
    assert box.sh("id -u; id -g; id -G", image={"user": "4321:99"}).out.split() == ["4321", "99", "99"]


def test_every_namespace_is_its_own(box):
    names = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
    ran = box.sh("; ".join(f"readlink /proc/self/ns/{name}" for name in names))
    inside = ran.out.split()
    assert not set(inside) & {os.readlink(f"/proc/self/ns/{name}") for name in names}
    assert set(inside) <= set(ran.instance.proof()["namespaces"].split())


def test_the_proof_names_the_cgroup_on_the_host(box):
    instance = box.create("cat", "/proc/self/cgroup")
    instance.start()
    instance.wait(60)
    assert f"/isoscope/{instance.record.mark}" in instance.proof()["cgroup"]
    assert instance.record.mark not in instance.record.log.read_text()


def test_the_command_is_process_one_and_alone(box):
    ran = box.sh("echo $$; ls /proc | grep -c '^[0-9]'")
    assert ran.out.split()[0] == "1"
    assert int(ran.out.split()[1]) <= 3  # the shell, ls and grep


def test_no_descriptor_of_ours_is_open_inside(box):
    with open("/dev/zero", "rb") as leaked:
        os.set_inheritable(leaked.fileno(), True)
        ran = box.run("ls", "/proc/self/fd")
    assert ran.out.split() == ["0", "1", "2", "3"]  # the last is the directory that ls reads


def test_a_minimal_dev(box):
    nodes = "full mqueue null ptmx pts pts/ptmx random shm tty urandom zero"
    links = "fd stderr stdin stdout"
    assert box.sh(DEVICES).out.split() == sorted([".", *(f"./{name}" for name in f"{nodes} {links}".split())])
    ran = box.sh(
        "echo x > /dev/null && head -c 3 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c; echo > /dev/full"
    )
    assert ran.out.split() == ["3", "4"]
    assert "No space left" in ran.err


def test_a_device_node_made_inside_opens_nothing(box, tmp_path):
    """CAP_MKNOD is in the set; but wherever a container can write, devices are not opened."""
    volume = Mount(tmp_path, PurePosixPath("/volume"))
    ran = box.sh(
        "for where in / /dev /dev/shm /volume; do mknod $where/n c 1 5 && head -c 1 $where/n && echo opened; done",
        mounts=(volume,),
    )
    assert ran.out == ""
    assert ran.err.count("Permission denied") == 4, ran.err


def test_proc_is_masked_and_partly_read_only(box):
    ran = box.sh(
        "wc -c < /proc/keys; wc -c < /proc/timer_list; ls /sys/firmware | wc -l;"
        "echo 1 > /proc/sys/kernel/panic; touch /sys/x; mount -o remount,rw /sys;"
        "umount /proc/keys; mount -t tmpfs x /mnt; true"
    )
    assert ran.out.split() == ["0", "0", "0"]
    assert ran.err.count("Read-only") == 2, ran.err
    assert ran.err.count("permission denied") + ran.err.count("Operation not permitted") + ran.err.count("must be") == 3


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("unshare -m true", "unshare"),
        ("unshare -U true", "unshare"),
        ("unshare -n true", "unshare"),
        ("nsenter -t 1 -m true", "nsenter"),
        ("chroot / mount -t proc p /mnt", "permission denied|must be|not permitted"),
        ("date -s 2001-01-01", "not permitted"),
        ("hostname other", "not permitted"),
        ("dmesg", "not permitted"),
        ("reboot -f -n", "not permitted"),
    ],
)
def test_what_the_filter_and_the_capabilities_forbid(box, script, said):
    before = os.uname().nodename
    ran = box.sh(f"{script}; echo status $?")
    assert any(word in ran.err for word in said.split("|")), ran
    assert os.uname().nodename == before


def test_a_volume_below_a_read_only_one_is_read_only_too(box, tmp_path):
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "isoscope-test", str(inner)], check=True)
    try:
        mount = Mount(tmp_path / "outer", PurePosixPath("/v"), read_only=True)
        ran = box.sh("touch /v/a; touch /v/inner/b; touch /v/inner/../c", mounts=(mount,))
        assert ran.err.count("Read-only file system") == 3
        assert list(inner.iterdir()) == []
    finally:
        subprocess.run(["umount", str(inner)], check=True)


def test_volumes_nest_in_whatever_order_they_are_given(box, tmp_path):
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    mounts = (
        Mount(tmp_path / "inner", PurePosixPath("/v/sub")),
        Mount(tmp_path / "outer", PurePosixPath("/v")),
    )
    assert box.sh("ls /v /v/sub", mounts=mounts).out.split() == ["/v:", "outer", "sub", "/v/sub:", "inner"]


def test_mounts_do_not_appear_on_the_host(box):
    instance = box.start("sleep", "1000")
    assert instance.record.mark not in Path("/proc/self/mountinfo").read_text()


def test_limits_of_descriptors_and_core_files(box):
    soft, hard, core, umask = box.sh("ulimit -Sn; ulimit -Hn; ulimit -c; umask").out.split()
    assert (soft, core, umask) == ("1024", "0", "0022")
    assert 1024 <= int(hard) <= 524288


def test_signals_are_at_their_defaults(box):
    ran = box.run("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    assert [line.split()[1] for line in ran.out.splitlines()] == ["0" * 16] * 2
    assert box.sh("yes | head -n 1").out == "y\n"  # `yes` dies of SIGPIPE, quietly


def test_process_one_ignores_signals_that_it_has_no_handler_for(box):
    instance = box.start("sleep", "1000")
    instance.kill(15)
    assert instance.stop(0.05) == Exit(signal=9)


def test_the_host_name_is_the_instances(box):
    instance = box.create("hostname")
    instance.start()
    instance.wait(60)
    assert instance.record.log.read_text().count(f'"{instance.record.name}\\n"') == 1


def test_host_network_shows_the_hosts_and_resolves_names_as_it_does(box):
    ran = box.sh("readlink /proc/self/ns/net; cat /etc/resolv.conf; touch /etc/resolv.conf", network=Network.HOST)
    assert ran.out.splitlines()[0] == os.readlink("/proc/self/ns/net")
    assert ran.out.partition("\n")[2] == Path("/etc/resolv.conf").read_text()
    assert "Read-only" in ran.err


def test_bridge_gives_an_address_and_a_way_out(box):
    ran = box.sh(
        "ip -4 addr show eth0; ping -c 1 -W 5 $(ip route | awk '/default/{print $3}') >/dev/null && echo pong",
        network=Network.BRIDGE,
    )
    lease = ran.instance.record.resources["network"]
    assert lease["address"] in ran.out
    assert "pong" in ran.out


def test_working_directory_is_made_and_cannot_lead_outside(box):
    assert box.sh("pwd", working_directory="/a/b/c").out == "/a/b/c\n"
    for number in range(3, 12):  # whatever descriptors the child may hold (CVE-2024-21626)
        with pytest.raises(InstanceFailed, match="chdir"):
            box.start("pwd", working_directory=f"/proc/self/fd/{number}")


def test_a_terminal_of_ones_own(box):
    ran = box.sh("tty; stty size; ls -l /dev/console | cut -c1; echo $TERM; ps -o tty | tail -1", terminal=True)
    lines = ran.out.replace("\r", "").splitlines()
    assert lines[0] in ("/dev/pts/0", "/dev/console")
    assert lines[1:4] == ["24 80", "c", "xterm"]


def test_usage_is_counted(box):
    instance = box.start("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 1000")
    instance.wait_ready(60)
    stats = instance.stats()
    assert stats.cpu_ns > 10_000_000
    assert 0 < stats.memory <= stats.memory_peak < 64 << 20
    assert stats.pids == 1
    instance.exec(("sleep", "1000"))
    assert instance.stats().pids == 2
