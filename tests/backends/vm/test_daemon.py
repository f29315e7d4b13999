"""A daemon instead of the embedded driver: one of the test's own, whose files are all its own, too."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.core import Exit, Instance, Lab, Workload
from isoscope.core.errors import BackendUnavailable
from isoscope.core.output import read_log
from isoscope.testing.channel import Channel

pytestmark = [pytest.mark.root, pytest.mark.vm]

PATIENCE = 120

#: What libvirtd writes to the host goes into a layer over it, which is gone with the daemon's mount namespace.
#: Where QEMU's user may not open /dev/kvm and root may, libvirt doubts what it knows of QEMU, and asks again each time.
IN_A_LAYER = """
mount -t tmpfs tmpfs "$1"
for place in etc var run; do
    mkdir "$1/$place" "$1/$place.work"
    mount -t overlay -o "lowerdir=/$place,upperdir=$1/$place,workdir=$1/$place.work" overlay "/$place"
done
if test -e /dev/kvm; then
    cp -a /dev/kvm "$1/kvm"
    chmod 666 "$1/kvm"
    mount --bind "$1/kvm" /dev/kvm
fi
mkdir -p /etc/libvirt
cp "$2" /etc/libvirt/qemu.conf
exec libvirtd -f "$3" -p /run/libvirtd-of-the-test.pid
"""

#: As a distribution sets it up, QEMU is another user.
QEMU_CONF = """
user = "libvirt-qemu"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""


@pytest.fixture
def daemon(tmp_path: Path, stocked_home: Path) -> Iterator[str]:
    """The URI of a running libvirtd."""
    sockets, layer = stocked_home / "sockets", tmp_path / "layer"
    sockets.mkdir()
    layer.mkdir()
    (tmp_path / "qemu.conf").write_text(QEMU_CONF)
    conf = tmp_path / "libvirtd.conf"
    conf.write_text(f'unix_sock_dir = "{sockets}"\nauth_unix_rw = "none"\nlog_outputs = "3:stderr"\n')
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", IN_A_LAYER, "sh"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, layer, tmp_path / "qemu.conf", conf], stderr=log)
    try:
        wait_for(sockets / "libvirt-sock", process)
        yield f"qemu:///system?socket={sockets}/libvirt-sock"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a daemon has made its socket; libvirtd has no other way to say that it is ready."""
    pidfd = os.pidfd_open(process.pid)
    try:
        while not path.exists():
            assert not select.select([pidfd], [], [], 0.05)[0], "libvirtd ended; see its log"
    finally:
        os.close(pidfd)


@pytest.fixture
def traversable(stocked_home: Path, shared_home: Path) -> Iterator[None]:
    """QEMU's user can get at what it needs."""
    for home in (stocked_home, shared_home):
        home.chmod(0o711)
    yield
    shared_home.chmod(0o700)


def test_a_life_with_a_daemon(daemon: str, stocked_home: Path, request: pytest.FixtureRequest) -> None:
    workload = Workload(command=("sh", "-c", "echo up; sleep 1000"))
    with Lab(stocked_home, libvirt_uri=daemon) as lab, Channel() as channel:
        with pytest.raises(BackendUnavailable) as raised:
            lab.create(workload, "vm")
        assert f"chmod o+x {stocked_home}," in raised.value.hint
        request.getfixturevalue("traversable")
        with lab.start(workload, "vm:network=bridge", stdio=channel.stdio) as instance:
            check_a_life(lab, instance, daemon)


def check_a_life(lab: Lab, instance: Instance, daemon: str) -> None:
    instance.wait_ready(PATIENCE)
    assert instance.proof()["connection"] == daemon
    owner = (lab.home / "vm" / instance.record.id / "disk").owner()
    assert owner == "libvirt-qemu", "QEMU does not run as whom the daemon chose"
    base = next((lab.home / "cache" / "disks").glob("*.ext4"))
    assert base.owner() == "root", "the shared base was taken over"
    assert instance.exec(("ip", "route", "get", "1.1.1.1")).wait(PATIENCE) == Exit(code=0)
    stats = instance.stats()
    assert stats.cpu_ns
    assert stats.memory
    instance.pause()
    instance.resume()
    instance.kill(signal.SIGKILL)
    assert instance.wait(PATIENCE) == Exit(signal=signal.SIGKILL)
    assert b"".join(data for _, data in read_log(instance.record.log)) == b"up\n"
    record = instance.record
    instance.delete(keep_record=True)
    lab.backend("vm").reclaim(record)
    record.forget()
