"""VMs that do not end as they should, and owners that do not either."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.vm import guest_instance, roots, unfinished
from isoscope.backends.vm import instance as instances
from isoscope.backends.vm.process import find
from isoscope.core import Exit, Instance, Lab, Resources, Status, Workload
from isoscope.core.errors import BackendUnavailable, InputError, InstanceFailed, Timeout
from isoscope.core.host.facts import Kvm, KvmStatus
from isoscope.testing.channel import Channel

pytestmark = [pytest.mark.root, pytest.mark.vm]

PATIENCE = 120
SLEEP = ("sh", "-c", "echo up; exec sleep 1000")


def started(lab: Lab, *command: str) -> Instance:
    instance = lab.start(Workload(command=command or SLEEP), "vm")
    instance.wait_ready(PATIENCE)
    return instance


def qemu(instance: Instance) -> int:
    return int(Path(instance.record.resources["vm"]["pid_file"]).read_text())


def alter(instance: Instance, **parts) -> None:
    """Let the instance be started with another machine than it should."""
    site = instance._site
    instance._site = replace(site, machine=lambda *args: replace(site.machine(*args), **parts))


def test_a_qemu_killed_from_outside_is_told_from_an_end(lab):
    with started(lab) as instance:
        execution = instance.exec(("sleep", "1000"))
        os.kill(qemu(instance), signal.SIGKILL)
        with pytest.raises(InstanceFailed, match="it ended before its workload") as raised:
            instance.wait(PATIENCE)
        assert "Linux version" in raised.value.hint
        assert instance.status is Status.STOPPED
        with pytest.raises(InstanceFailed):
            execution.wait(PATIENCE)
        execution.kill(signal.SIGKILL)


def test_a_panic_is_told_with_the_consoles_last_words(lab):
    with started(lab, "sh", "-c", "echo up; sleep 0.1; echo c > /proc/sysrq-trigger; sleep 1000") as instance:
        with pytest.raises(InstanceFailed, match="kernel panicked") as raised:
            instance.wait(PATIENCE)
        assert "sysrq" in raised.value.hint.lower()
        assert (instance.record.directory / "console.log").read_bytes().startswith(b"[    0.000000] Linux version")


def test_a_kernel_that_finds_no_init_is_told_by_its_panic(lab):
    instance = lab.create(Workload(command=SLEEP), "vm")
    alter(instance, initrd=Path("/etc/hostname"))
    with pytest.raises(InstanceFailed, match="its kernel panicked") as raised:
        instance.start()
    assert "Kernel panic" in raised.value.hint
    assert "init" not in instance.timeline.moments
    instance.delete()


def test_an_interrupted_start_leaves_nothing(lab, monkeypatch):
    instance = lab.create(Workload(command=SLEEP), "vm")
    start = instance._hypervisor.start

    def interrupted(xml):
        start(xml)
        raise KeyboardInterrupt

    monkeypatch.setattr(instance._hypervisor, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        instance.start()
    pid_file = Path(instance.record.resources["vm"]["pid_file"])
    process = find(pid_file, instance.record.mark)
    assert process is not None
    instance.delete()
    assert select.select([process._pidfd], [], [], 0)[0], "QEMU was left behind"
    process.close()


def test_a_guest_that_does_not_come_up_is_given_up(lab, monkeypatch):
    monkeypatch.setattr(instances, "_PATIENCE", {"kvm": 0.3, "tcg": 0.5})
    instance = lab.create(Workload(command=SLEEP), "vm")
    with pytest.raises(Timeout, match=r"phase '(vmm|kernel|init)' did not end within 0\.5 s") as raised:
        instance.start()
    assert "console said last" in raised.value.hint
    assert instance.status is Status.STOPPED
    instance.delete()


def test_sigkill_ends_even_what_is_paused(lab):
    with started(lab) as instance:
        instance.pause()
        instance.kill(signal.SIGKILL)
        assert instance.wait(PATIENCE) == Exit(signal=signal.SIGKILL)


def test_sigkill_ends_a_guest_that_does_not_listen(lab, monkeypatch):
    monkeypatch.setattr(guest_instance, "_ANSWER", 0.2)
    with started(lab) as instance:
        instance._domain.suspend()  # behind our back
        instance.kill(signal.SIGKILL)
        assert instance.wait(PATIENCE) == Exit(signal=signal.SIGKILL)


def test_a_guest_that_breaks_the_protocol_is_a_guest_that_has_gone(lab):
    with started(lab) as instance:
        instance._control._receive(b"\xff" * 100)
        with pytest.raises(InstanceFailed, match="said what none of ours says"):
            instance.wait(PATIENCE)


def test_output_that_cannot_be_kept_ends_the_instance(lab, monkeypatch):
    instance = lab.create(Workload(command=SLEEP), "vm")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(instance.log, "write", full)
    instance.start()
    with pytest.raises(InstanceFailed, match="No space left"):
        instance.wait(PATIENCE)
    instance.delete()


def test_qemus_refusal_is_told(lab, monkeypatch):
    instance = lab.create(Workload(command=SLEEP), "vm")
    alter(instance, kernel=Path("/etc/hostname"))
    with pytest.raises(InstanceFailed, match="kernel"):
        instance.start()
    instance.delete()
    with pytest.raises(InputError) as raised:
        lab.create(Workload(command=SLEEP, resources=Resources(memory=4 << 20)), "vm")
    assert "96 MiB" in raised.value.hint


def test_kvm_that_is_not_usable_is_not_used(lab, monkeypatch):
    lab.host.__dict__["kvm"] = Kvm(KvmStatus.EMULATED, "its guests are interpreted", "use another host")
    with pytest.raises(BackendUnavailable, match="emulated here: its guests are interpreted") as raised:
        lab.create(Workload(command=SLEEP), "vm:accelerator=kvm")
    assert raised.value.hint == "use another host"
    assert list(lab.registry) == []
    for variant in ("vm", "vm:accelerator=tcg"):
        [step] = [step for step in lab.plan(Workload(command=SLEEP), variant) if step.phase == "vmm"]
        assert "-accel tcg " in step.text
    lab.host.__dict__["kvm"] = Kvm(KvmStatus.USABLE, "")
    [step] = [step for step in lab.plan(Workload(command=SLEEP), "vm") if step.phase == "vmm"]
    assert "-accel kvm -cpu host " in step.text


def test_what_qemu_uses_is_checked(lab):
    instance = lab.create(Workload(command=SLEEP), "vm")
    instance._proof["accelerator"] = "kvm" if instance._proof["accelerator"] == "tcg" else "tcg"
    with pytest.raises(InstanceFailed, match="QEMU uses"):
        instance.start()
    instance.delete()


def test_reclaim_ends_what_it_finds_and_nothing_else(lab):
    with started(lab) as instance:
        record = instance.record
        pid_file = Path(record.resources["vm"]["pid_file"])
        assert find(pid_file, "isoscope-000000000000") is None, "the pid is that of another domain's QEMU"
        lab.backend("vm").reclaim(record)
        assert not (lab.home / "vm").exists()
        with pytest.raises(InstanceFailed):
            instance.wait(PATIENCE)
        lab.backend("vm").reclaim(record)


def test_a_machine_whose_owner_was_killed_ends_by_itself(lab):
    command = [sys.executable, "-m", "isoscope.testing.victim", str(lab.home), "vm", "base"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        _, running = victim.stdout.readline().split()
        record = lab.registry.find(running)
        qemu = find(Path(record.resources["vm"]["pid_file"]), record.mark)
        assert qemu is not None
        victim.kill()
    try:
        assert select.select([qemu._pidfd], [], [], PATIENCE)[0]
    finally:
        qemu.kill()
        qemu.close()
    assert len(lab.gc()) >= 2


def test_the_roots_of_dead_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(roots, "parent", lambda: tmp_path / "isoscope")
    mine, dead, other = roots.make(), tmp_path / "isoscope" / "99999999-1", tmp_path / "isoscope" / "forwarding-1"
    (dead / "run" / "qemu").mkdir(parents=True)
    (dead / "run" / "qemu" / "isoscope-0.pid").write_text(str(os.getpid()))  # alive, but no QEMU
    other.mkdir()
    assert roots.sweep() == [f"removed libvirt's directory {dead}"]
    assert mine.exists()
    assert not dead.exists()
    assert other.exists()
    roots.remove(mine)
    roots.remove(mine)


def test_what_was_left_half_written_is_swept(tmp_path):
    (tmp_path / "new-overlay").mkdir()
    for name in ("new-file", "new-overlay/part", "known.xml"):
        (tmp_path / name).touch()
    assert unfinished.sweep(tmp_path) == [], "somebody may be about to finish it"
    for name in ("new-file", "new-overlay", "known.xml"):
        os.utime(tmp_path / name, (0, 0))
    assert len(unfinished.sweep(tmp_path)) == 2
    assert os.listdir(tmp_path) == ["known.xml"]
    assert unfinished.sweep(tmp_path / "missing") == []


def test_a_lab_can_be_closed_and_another_opened(lab, stocked_home):
    """libvirt's embedded driver is one for a process; its files are not there for longer than they are needed."""
    with Channel() as channel, lab.start(Workload(command=("uname", "-r")), "vm", stdio=channel.stdio) as instance:
        instance.wait(PATIENCE)
    root = roots.path()
    assert root.exists()
    lab.close()
    assert not root.exists()
    with Lab(stocked_home) as second, started(second) as instance:
        assert root.exists()
        assert instance.stop(PATIENCE).signal == signal.SIGTERM


def test_another_hosts_libvirt_is_refused_in_words(stocked_home):
    with Lab(stocked_home, libvirt_uri="qemu+ssh://elsewhere/system") as lab:
        [lack] = lab.backend("vm").lacks()
    assert "elsewhere" in lack.what
    assert "of this host" in lack.remedy


def test_a_daemon_that_does_not_run_is_a_lack(stocked_home):
    with Lab(stocked_home, libvirt_uri="qemu:///system?socket=/nowhere") as lab:
        [lack] = lab.backend("vm").lacks()
    assert "cannot open" in lack.what
    assert "ISOSCOPE_LIBVIRT_URI" in lack.remedy


def test_missing_programs_are_lacks_with_remedies(stocked_home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with Lab(stocked_home) as lab:
        lacks = {lack.what: lack.remedy for lack in lab.backend("vm").lacks()}
    assert lacks["qemu-system-x86_64 is not installed"] == "apt-get install qemu-system-x86"
