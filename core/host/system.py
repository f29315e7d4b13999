"""What the host is: kernel, distribution, processors, memory, privileges, and whether it is a virtual machine."""

from __future__ import annotations

import os
import platform
import re
import shlex
from dataclasses import replace
from pathlib import Path

from isoscope.core.host import facts
from isoscope.core.host.child import ask
from isoscope.core.host.files import cpuinfo, pairs, read
from isoscope.core.host.outcome import DEADLINE_S

#: capabilities(7) by their bits, linux/capability.h.
# fmt: off
CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)
# fmt: on

#: How a DMI vendor or product name begins, and whose hypervisor that is.
_DMI = (
    ("QEMU", "QEMU"),
    ("KVM", "KVM"),
    ("Amazon EC2", "Amazon EC2"),
    ("Google Compute Engine", "Google Compute Engine"),
    ("Microsoft Corporation Virtual Machine", "Hyper-V"),
    ("VMware", "VMware"),
    ("VMW", "VMware"),
    ("innotek GmbH", "VirtualBox"),
    ("VirtualBox", "VirtualBox"),
    ("Oracle Corporation VirtualBox", "VirtualBox"),
    ("Xen", "Xen"),
    ("Bochs", "Bochs"),
    ("Parallels", "Parallels"),
    ("BHYVE", "bhyve"),
    ("Apple Virtualization", "Apple Virtualization"),
    ("OpenStack", "OpenStack"),
    ("Hetzner vServer", "Hetzner"),
    ("DigitalOcean", "DigitalOcean"),
    ("Alibaba Cloud ECS", "Alibaba Cloud"),
    ("Cloud Hypervisor", "Cloud Hypervisor"),
    ("Firecracker", "Firecracker"),
)


def kernel(root: Path) -> facts.Kernel:
    """The running kernel."""
    name = os.uname()
    return facts.Kernel(name.release, name.version, name.machine, read(root / "proc/sys/kernel/random/boot_id"))


def distribution(root: Path) -> facts.Distribution:
    """os-release(5), which may stand in either of two places."""
    fields = pairs(read(root / "etc/os-release") or read(root / "usr/lib/os-release"), "=")
    return facts.Distribution(*(_unquoted(fields.get(key, "")) for key in ("ID", "VERSION_ID", "PRETTY_NAME")))


def _unquoted(text: str) -> str:
    try:
        return "".join(shlex.split(text))
    except ValueError:  # a quote that is never closed
        return text


def cpu(root: Path) -> facts.Cpu:
    """The processors that are online, by /proc/cpuinfo."""
    blocks = [pairs(block, ":") for block in read(root / "proc/cpuinfo").split("\n\n")]
    processors = [block for block in blocks if "processor" in block]
    sockets = {block["physical id"] for block in processors if "physical id" in block}
    cores = {(block["physical id"], block["core id"]) for block in processors if {"physical id", "core id"} <= {*block}}
    first = processors[0] if processors else {}
    return facts.Cpu(
        model=first.get("model name", ""),
        vendor=first.get("vendor_id", ""),
        logical=len(processors),
        usable=len(os.sched_getaffinity(0)),
        cores=len(cores) or None,
        sockets=len(sockets) or None,
    )


def memory(root: Path) -> facts.Memory:
    """Memory by proc_meminfo(5)."""
    fields = pairs(read(root / "proc/meminfo"), ":")
    return facts.Memory(*(_bytes(fields.get(key, "")) for key in ("MemTotal", "MemAvailable", "SwapTotal")))


def _bytes(text: str) -> int | None:
    """`123 kB`, which means KiB."""
    count = text.removesuffix(" kB")
    return int(count) * 1024 if count.isdecimal() else None


def privileges(root: Path) -> facts.Privileges:
    """Capabilities by proc_pid_status(5)."""
    mask = pairs(read(root / "proc/self/status"), ":").get("CapEff", "")
    effective = int(mask, 16) if re.fullmatch("[0-9a-f]+", mask) else 0
    last = read(root / "proc/sys/kernel/cap_last_cap")
    known = CAPABILITIES[: int(last) + 1] if last.isdecimal() else CAPABILITIES
    has = {name for bit, name in enumerate(CAPABILITIES) if effective >> bit & 1}
    return facts.Privileges(os.geteuid(), tuple(sorted(has)), tuple(sorted(set(known) - has)))


def virtualized(root: Path) -> facts.Virtualized:
    """Whether a hypervisor shows itself, and by which signature."""
    found = _shown(root)
    here = root == Path("/")  # no tree answers for another host's processor
    return replace(found, signature=_signature()) if found.nested and here else found


def _signature() -> str:
    """What a hypervisor calls itself. Only behind one does the processor answer that leaf with a signature."""
    if platform.machine() != "x86_64":
        return ""
    return str(ask("cpuid", deadline_s=DEADLINE_S).said.get("signature", ""))


def _shown(root: Path) -> facts.Virtualized:
    """In DMI, which names it, or in CPUID's flag, which every guest of KVM has."""
    dmi = root / "sys/class/dmi/id"
    vendor, product, bios = (read(dmi / name) for name in ("sys_vendor", "product_name", "bios_vendor"))
    for text in (f"{vendor} {product}", product, bios):
        for beginning, hypervisor in _DMI:
            if text.startswith(beginning):
                return facts.Virtualized(True, hypervisor, f"DMI: {text}")
    if "hypervisor" in cpuinfo(root).get("flags", "").split():
        kind = read(root / "sys/hypervisor/type")
        return facts.Virtualized(True, kind, "the hypervisor flag of CPUID")
    return facts.Virtualized(False)
