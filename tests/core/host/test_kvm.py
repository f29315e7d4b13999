"""The verdict on KVM: judged from answers, and found out on this host."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from isoscope.core.host import Host, KvmStatus, kvm
from isoscope.core.host.child import Answer
from isoscope.core.host.probes import guest
from isoscope.core.host.probes import kvm as probe

PASSED = {"cmpxchg16b": "", "xrstor": "", "int3": ""}
GOOD = {"api": 12, "entered_s": 0.03, "stages": PASSED, "native_ns": 0.25, "guest_ns": 0.27}


def judged(**said: object) -> tuple[KvmStatus, str]:
    found = kvm.judge(Answer({**GOOD, **said}, cpu_s=0.1))
    return found.status, found.reason


def test_a_guest_at_the_processors_pace_is_usable() -> None:
    found = kvm.judge(Answer(GOOD, cpu_s=0.1))
    assert found.usable
    assert found.slowdown == pytest.approx(1.08)
    assert not found.remedy


def test_a_guest_slowed_by_nesting_is_usable() -> None:
    assert judged(guest_ns=0.25 * 3)[0] is KvmStatus.USABLE


def test_a_guest_slower_than_tcg_is_emulated() -> None:
    status, reason = judged(guest_ns=0.25 * 1000)
    assert status is KvmStatus.EMULATED
    assert "1,000 times" in reason


@pytest.mark.parametrize("name", PASSED)
def test_a_guest_that_stops_at_an_instruction_is_emulated(name: str) -> None:
    status, reason = judged(stages={**PASSED, name: "internal error, suberror 1"})
    assert status is KvmStatus.EMULATED
    assert f"stops at {name} (internal error, suberror 1)" in reason


def test_instructions_that_fail_alike_are_told_together() -> None:
    assert "at cmpxchg16b, int3 (x)" in judged(stages={"cmpxchg16b": "x", "xrstor": "", "int3": "x"})[1]


def test_a_guest_that_stops_in_its_loop_is_emulated() -> None:
    status, reason = judged(loop="triple fault")
    assert status is KvmStatus.EMULATED
    assert "a loop (triple fault)" in reason


def test_without_a_measured_pace_the_instructions_decide() -> None:
    said = {name: value for name, value in GOOD.items() if not name.endswith("_ns")}
    found = kvm.judge(Answer(said, cpu_s=0.1))
    assert (found.status, found.slowdown) == (KvmStatus.USABLE, None)


def test_a_guest_that_burns_its_time_is_emulated() -> None:
    answer = Answer({"api": 12, "entered_s": 0.03}, "no answer before the deadline", cpu_s=0.9, late=True)
    assert kvm.judge(answer).status is KvmStatus.EMULATED


@pytest.mark.parametrize("said", [{}, {"api": 12}, {"api": 12, "entered_s": 0.7}])
def test_a_busy_host_is_no_evidence_of_emulation(said: dict[str, float]) -> None:
    found = kvm.judge(Answer(said, "no answer before the deadline", cpu_s=0.75, late=True))
    assert found.status is KvmStatus.ABSENT
    assert "less busy" in found.remedy


def test_a_starved_probe_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [Answer({"api": 12}, "no answer before the deadline", late=True), Answer(GOOD, cpu_s=0.1)]
    monkeypatch.setattr(kvm, "ask", lambda *_, **__: answers.pop(0))
    assert kvm._tried(Path("/dev/kvm")).usable


@pytest.mark.parametrize(
    ("call", "number", "told"),
    [
        ("KVM_CREATE_VM", errno.EBUSY, "another hypervisor"),
        ("KVM_CREATE_VM", errno.ENOMEM, "KVM_CREATE_VM: "),
        ("KVM_RUN", errno.EIO, "KVM_RUN: "),
    ],
)
def test_a_refused_call_means_absent(call: str, number: int, told: str) -> None:
    refusal = {"call": call, "errno": number, "text": os.strerror(number)}
    found = kvm.judge(Answer({"api": 12, "refused": refusal}))
    assert found.status is KvmStatus.ABSENT
    assert told in found.reason
    assert found.remedy


def test_another_version_of_the_interface_means_absent() -> None:
    assert judged(api=11)[0] is KvmStatus.ABSENT


def test_a_probe_that_fails_by_itself_means_absent() -> None:
    found = kvm.judge(Answer({"error": "ValueError: x"}, "the probing process ended with status 1"))
    assert found.status is KvmStatus.ABSENT
    assert "ValueError: x" in found.reason


# On this host


def expected() -> KvmStatus:
    """The verdict that follows from which module drives the device."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return KvmStatus.ABSENT
    hardware = {"kvm_intel", "kvm_amd"} & set(os.listdir("/sys/module"))
    return KvmStatus.USABLE if hardware else KvmStatus.EMULATED


def test_the_verdict_on_this_host(home: Path) -> None:
    found = Host(home).kvm
    assert found.status is expected(), found
    assert found.reason
    assert found.modules == tuple(sorted(name for name in os.listdir("/sys/module") if name.startswith("kvm")))


def test_the_verdict_is_remembered_for_this_boot(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Host(home).kvm
    if found.status is KvmStatus.ABSENT:
        assert not (home / "cache/kvm.json").exists()
        return
    monkeypatch.setattr(kvm, "ask", lambda *_, **__: Answer(GOOD, cpu_s=0.1))
    assert Host(home).kvm.cached
    assert Host(home).kvm.status is found.status
    afresh = Host(home)
    afresh.refresh()
    assert (afresh.kvm.status, afresh.kvm.cached) == (KvmStatus.USABLE, False)
    assert Host(home).kvm.usable, "what was found afresh is remembered"


@pytest.mark.parametrize("change", ["boot", "kernel", "modules", "device", "probe"])
def test_a_verdict_of_other_circumstances_is_not_used(home: Path, change: str, tree) -> None:
    root = tree({"dev/kvm": "", "sys/module/kvm/": "", "proc/sys/kernel/random/boot_id": "1"})
    store = home / "cache/kvm.json"
    key = kvm._key(root, root / "dev/kvm", ("kvm",))
    found = kvm.judge(Answer(GOOD, cpu_s=0.1))
    kvm._remember(store, key, found)
    assert kvm._recall(store, key) is not None
    assert kvm._recall(store, {**key, change: "other"}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"key": {}, "kvm": {"status": "splendid"}}'])
def test_a_damaged_memory_is_no_memory(home: Path, text: str) -> None:
    store = home / "cache/kvm.json"
    store.parent.mkdir()
    store.write_text(text)
    assert kvm._recall(store, {}) is None


def test_a_state_directory_that_cannot_be_written_costs_nothing_but_time(tree) -> None:
    found = kvm.judge(Answer(GOOD, cpu_s=0.1))
    kvm._remember(tree({"file": ""}) / "file/cache/kvm.json", {}, found)


def test_a_device_that_is_not_kvm_is_absent(home: Path, tree) -> None:
    root = tree({"dev/kvm": "-> /dev/null", "proc/cpuinfo": "flags : fpu vmx\n"})
    found = Host(home, root=root).kvm
    assert found.status is KvmStatus.ABSENT
    assert "is not the KVM device" in found.reason
    assert not (home / "cache/kvm.json").exists()


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ("fpu vmx", "modprobe kvm_intel"),
        ("fpu svm hypervisor", "modprobe kvm_amd"),
        ("fpu hypervisor", "enable nested virtualization for this VM"),
        ("fpu", "enable VT-x or AMD-V in the firmware"),
    ],
)
def test_a_missing_device_is_absent_with_what_gets_it(home: Path, tree, flags: str, remedy: str) -> None:
    root = tree({"proc/cpuinfo": f"processor : 0\nflags : {flags}\n"})
    found = Host(home, root=root).kvm
    assert found.status is KvmStatus.ABSENT
    assert "is missing" in found.reason
    assert found.remedy.startswith(remedy)


@pytest.mark.root
def test_a_device_that_this_user_may_not_open_is_absent_with_the_group(home: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="iso-", dir="/tmp") as name:
        root = Path(name)
        (root / "dev").mkdir()
        (root / "dev/kvm").touch(mode=0o600)
        root.chmod(0o755)
        os.seteuid(65534)
        try:
            found = Host(home, root=root).kvm
        finally:
            os.seteuid(0)
    assert found.status is KvmStatus.ABSENT
    assert "may not be opened" in found.reason
    assert "usermod -aG kvm" in found.remedy


def test_the_guest_loop_runs_natively() -> None:
    spent_ns, iterations = probe._calibrate()
    assert spent_ns > 0
    assert iterations >= 1 << 16


@pytest.mark.parametrize(
    ("stage", "instructions"),
    [
        ("cmpxchg16b", "xor xor mov mov mov cmpxchg16b out"),
        ("xrstor", "mov xor mov xsave xrstor out"),
        ("int3", "int3 out"),
    ],
)
def test_the_guest_is_made_of_the_instructions_that_it_claims(tmp_path: Path, stage: str, instructions: str) -> None:
    (chosen,) = (each for each in guest.STAGES if each.name == stage)
    assert disassembled(tmp_path, bytes.fromhex(chosen.code)) == instructions


def test_the_guest_handles_its_trap_and_counts_down(tmp_path: Path) -> None:
    assert disassembled(tmp_path, guest._HANDLER_PROGRAM) == "incl iretq"
    assert disassembled(tmp_path, guest._COUNT_DOWN) == "dec jne"


def disassembled(directory: Path, code: bytes) -> str:
    file = directory / "code"
    file.write_bytes(code)
    command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", file]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(re.findall(r"^ +[0-9a-f]+:\s+(\w+)", listing, re.MULTILINE))


def test_a_stage_without_its_effect_is_noticed() -> None:
    memory = probe.mmap.mmap(-1, guest.SIZE)
    guest.load(memory, 1)
    exchange, _, trap = guest.STAGES
    assert not guest.executed(memory, exchange)
    assert not guest.executed(memory, trap)
    memory[guest.TRAPS] = 1
    assert guest.executed(memory, trap)


def test_the_memory_survives_as_json(home: Path) -> None:
    found = Host(home).kvm
    if found.status is not KvmStatus.ABSENT:
        assert json.loads((home / "cache/kvm.json").read_text())["kvm"]["status"] == found.status
