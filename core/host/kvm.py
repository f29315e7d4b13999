"""The verdict on KVM: usable, emulated or absent."""

from __future__ import annotations

import errno
import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from isoscope.core.host.child import Answer, ask
from isoscope.core.host.facts import Kvm, KvmStatus
from isoscope.core.host.files import cpuinfo, names_in, read
from isoscope.core.patience import patience

DEADLINE_S = 1.0
API_VERSION = 12  #: the only one since Linux 2.6.22; anything else is not to be used

#: KVM whose guest runs a loop so many times slower than this process does is emulating. TCG runs that loop some ten
#: times slower than the processor: what is beyond this multiple is slower than doing without KVM.
SLOWEST = 20

#: CPU seconds that a guest of a few instructions must have had before its lateness speaks against KVM.
_FAIR_S = 0.25

_NOT_HERE = (
    "nothing to install: VMs use TCG here; for hardware's speed, a host with VT-x or AMD-V, or a VM with nested KVM"
)


def verdict(root: Path, cache: Path, *, fresh: bool) -> Kvm:
    """Judge `root/dev/kvm`, with what an earlier command of this boot found out unless `fresh`. Never raises."""
    modules = tuple(name for name in names_in(root / "sys/module") if name.startswith("kvm"))
    device = root / "dev/kvm"
    if absent := _unopenable(root, device):
        return replace(absent, modules=modules)
    store = cache / "kvm.json"
    key = _key(root, device, modules)
    if not fresh and (known := _recall(store, key)):
        return known
    found = replace(_tried(device), modules=modules)
    if found.status is not KvmStatus.ABSENT:  # absence may end any moment, and is cheap to find out again
        _remember(store, key, found)
    return found


def _unopenable(root: Path, device: Path) -> Kvm | None:
    """The verdict when the device cannot even be opened."""
    if platform.machine() != "x86_64":
        return Kvm(KvmStatus.ABSENT, f"only x86-64 guests are probed, and this is {platform.machine()}", _NOT_HERE)
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return _refused({"call": str(device), "errno": error.errno, "text": error.strerror}, root, device)
    return None


def _tried(device: Path) -> Kvm:
    answer = ask("kvm", str(device), deadline_s=DEADLINE_S)
    if starved(answer):  # another moment may be quieter
        answer = ask("kvm", str(device), deadline_s=DEADLINE_S)
    return judge(answer, device)


def starved(answer: Answer) -> bool:
    """Whether the child was late because the host gave its guest hardly any CPU time."""
    return answer.late and answer.cpu_s - answer.said.get("entered_s", answer.cpu_s) < _FAIR_S


def judge(answer: Answer, device: Path = Path("/dev/kvm")) -> Kvm:
    """The verdict that follows from a probe's answer."""
    said = answer.said
    if "refused" in said:
        return _refused(said["refused"], Path("/"), device)
    if said.get("api", API_VERSION) != API_VERSION:
        return Kvm(KvmStatus.ABSENT, f"{device} speaks version {said['api']} of the KVM API, not {API_VERSION}")
    if starved(answer):
        return Kvm(
            KvmStatus.ABSENT,
            f"KVM could not be tried: the host gave the probe no CPU time within {patience(DEADLINE_S):g} s",
            "try again when the host is less busy: isoscope doctor",
        )
    if answer.late:
        return Kvm(
            KvmStatus.EMULATED,
            f"a guest of a few instructions did not end within {patience(DEADLINE_S):g} s",
            _NOT_HERE,
        )
    if answer.trouble:
        return Kvm(KvmStatus.ABSENT, f"KVM could not be tried: {said.get('error', answer.trouble)}")
    return _performance(said)


def _performance(said: dict[str, Any]) -> Kvm:
    """The verdict on a guest that was entered."""
    stages = {**said.get("stages", {}), "a loop": said.get("loop")}
    reasons = dict.fromkeys(why for why in stages.values() if why)
    failures = [
        f"a guest stops at {', '.join(name for name in stages if stages[name] == why)} ({why})" for why in reasons
    ]
    slowdown = None
    if "guest_ns" in said and "native_ns" in said:
        slowdown = said["guest_ns"] / said["native_ns"]
        if slowdown > SLOWEST:
            failures.append(f"its instructions cost {slowdown:,.0f} times their native CPU time")
    if failures:
        return Kvm(KvmStatus.EMULATED, "; ".join(failures), _NOT_HERE, slowdown=slowdown)
    pace = "" if slowdown is None else f", at {slowdown:.2f} times its native CPU time"
    return Kvm(KvmStatus.USABLE, f"a long-mode guest ran{pace}", slowdown=slowdown)


def _refused(refusal: dict[str, Any], root: Path, device: Path) -> Kvm:
    """The verdict when a call failed before the guest ran."""
    number, call = refusal["errno"], refusal["call"]
    if call != str(device):
        if number == errno.ENOTTY:
            return Kvm(KvmStatus.ABSENT, f"{device} is not the KVM device", _module_remedy(root))
        if number == errno.EBUSY:
            return Kvm(KvmStatus.ABSENT, f"{call}: another hypervisor uses the processor", "stop VirtualBox or VMware")
        return Kvm(KvmStatus.ABSENT, f"{call}: {refusal['text']}", "see what the kernel says: dmesg | grep -i kvm")
    if number in (errno.EACCES, errno.EPERM):
        remedy = "join the group kvm, then log in again: sudo usermod -aG kvm $USER"
        if os.geteuid() == 0:
            remedy = "allow character device 10:232 to the container that this runs in: docker run --device /dev/kvm"
        return Kvm(KvmStatus.ABSENT, f"{device} may not be opened by this user", remedy)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return Kvm(KvmStatus.ABSENT, f"{device} is missing", _module_remedy(root))
    return Kvm(KvmStatus.ABSENT, f"{device}: {refusal['text']}", _module_remedy(root))


def _module_remedy(root: Path) -> str:
    flags = cpuinfo(root).get("flags", "").split()
    if "vmx" in flags or "svm" in flags:
        return f"modprobe {'kvm_intel' if 'vmx' in flags else 'kvm_amd'}"
    if "hypervisor" in flags:
        return "enable nested virtualization for this VM on its host, then: modprobe kvm_intel || modprobe kvm_amd"
    return "enable VT-x or AMD-V in the firmware, then: modprobe kvm_intel || modprobe kvm_amd"


def _key(root: Path, device: Path, modules: tuple[str, ...]) -> dict[str, Any]:
    """What a verdict depends on."""
    status = device.stat()
    return {
        "boot": read(root / "proc/sys/kernel/random/boot_id"),
        "kernel": platform.release(),
        "modules": list(modules),
        "device": [str(device), status.st_rdev, status.st_ino],
        "probe": 1,  # to be raised when the same device would be judged differently
    }


def _recall(store: Path, key: dict[str, Any]) -> Kvm | None:
    try:
        data = json.loads(store.read_text())
        if data["key"] != key:
            return None
        fields = data["kvm"]
        fields |= {"status": KvmStatus(fields["status"]), "modules": tuple(fields["modules"]), "cached": True}
        return Kvm(**fields)
    except (OSError, ValueError, KeyError, TypeError):  # never written, or by a version that knew other fields
        return None


def _remember(store: Path, key: dict[str, Any], found: Kvm) -> None:
    """Write the verdict down in one step. A state directory that cannot be written costs a probe each time."""
    partial = store.with_name(f"kvm.json.{os.getpid()}")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({"key": key, "kvm": asdict(found)}))
        partial.replace(store)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
