"""The facts of a host in words: rows of what there is, what is not, why, and what gets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoscope.core.host import facts
from isoscope.core.units import format_size

if TYPE_CHECKING:
    from isoscope.core.host.host import Host


@dataclass(frozen=True)
class Row:
    """One line of a report, and the one below it that helps."""

    name: str
    text: str
    remedy: str = ""
    good: bool | None = None  #: None where there is nothing to be had or missed


@dataclass(frozen=True)
class Section:
    """Rows under a title."""

    title: str
    rows: tuple[Row, ...]


def sections(host: Host) -> list[Section]:
    """All facts of a host."""
    return [_machine(host), _isolation(host), _network(host.networking), _virtual_machines(host), devices(host)]


def _machine(host: Host) -> Section:
    kernel, virtualized = host.kernel, host.virtualized
    nested = "yes" + (f", {virtualized.hypervisor}" if virtualized.hypervisor else "") + f" ({virtualized.evidence})"
    nested += "; its processor is emulated in software: figures are no speeds" if virtualized.emulated else ""
    return Section(
        "Machine",
        (
            Row("kernel", f"{kernel.release} {kernel.architecture}"),
            Row("distribution", host.distribution.name or "unknown"),
            Row("processor", _cpu(host.cpu)),
            Row("memory", _memory(host.memory)),
            Row("user", _user(host.privileges)),
            Row("virtualized", nested if virtualized.nested else "no sign of a hypervisor"),
        ),
    )


def _cpu(cpu: facts.Cpu) -> str:
    parts = [cpu.model or "unknown model", f"{cpu.logical} logical"]
    if cpu.cores is not None:
        parts.append(f"{cpu.cores} cores {'with' if cpu.smt else 'without'} SMT")
    if cpu.usable < cpu.logical:
        parts.append(f"{cpu.usable} of them for this process")
    return ", ".join(parts)


def _memory(memory: facts.Memory) -> str:
    def size(value: int | None) -> str:
        return "unknown" if value is None else format_size(value) if value else "none"

    return f"{size(memory.total)}, available {size(memory.available)}, swap {size(memory.swap)}"


def _user(privileges: facts.Privileges) -> str:
    if not privileges.root:
        return f"user {privileges.user}, with {', '.join(privileges.effective) or 'no capabilities'}"
    return f"root, without {', '.join(privileges.missing)}" if privileges.missing else "root, with every capability"


def _isolation(host: Host) -> Section:
    return Section(
        "Isolation",
        (
            _cgroups(host.cgroups),
            _namespaces(host.namespaces),
            _feature("user namespaces", host.user_namespaces, "without privileges, root inside"),
            _feature("overlayfs", host.overlayfs.privileged, "on the state directory"),
            _feature("rootless overlay", host.overlayfs.user_namespace, "on the state directory, in a user namespace"),
            _feature("seccomp", host.seccomp, "a filter was installed and obeyed"),
        ),
    )


def _cgroups(cgroups: facts.Cgroups) -> Row:
    names = f"{cgroups.layout}: {', '.join(cgroups.controllers) or 'no controllers'}"
    if cgroups.missing or cgroups.layout is facts.Layout.NONE:
        return Row("cgroups", f"{names}; {cgroups.reason}", cgroups.remedy, good=False)
    needed = (cgroups.controllers[name] for name in facts.NEEDED_CONTROLLERS)
    refused = [c for c in needed if not c.delegated and not c.top.writable.available]
    if refused:
        writable = refused[0].own.writable
        if writable.available:
            reason = f"controller {refused[0].name} is not delegated to {refused[0].own.path}"
            return Row("cgroups", f"{names}; {reason}", facts.DELEGATE, good=False)
        return Row("cgroups", f"{names}; {writable.reason}", writable.remedy, good=False)
    return Row("cgroups", names, good=True)


def _namespaces(namespaces: Mapping[str, facts.Feature]) -> Row:
    lacking = {kind: feature for kind, feature in namespaces.items() if not feature.available}
    if not lacking:
        return Row("namespaces", ", ".join(namespaces), good=True)
    kind, feature = next(iter(lacking.items()))
    return Row("namespaces", f"without {', '.join(lacking)} ({kind}: {feature.reason})", feature.remedy, good=False)


def _network(networking: facts.Networking) -> Section:
    return Section(
        "Network",
        (
            _feature("netlink", networking.netlink, "a route socket answers in a new network namespace"),
            _feature("bridge", networking.bridge, "made in a new network namespace"),
            _feature("veth", networking.veth, "made in a new network namespace"),
            _feature("nat", networking.nat, "an nftables masquerade rule was accepted"),
            _feature("tap", networking.tap, "made in a new network namespace"),
        ),
    )


def _virtual_machines(host: Host) -> Section:
    kvm, qemu, libvirt = host.kvm, host.qemu, host.libvirt
    modules = f" [{', '.join(kvm.modules)}]" if kvm.modules else ""
    return Section(
        "Virtual machines",
        (
            Row("kvm", f"{kvm.status}: {kvm.reason}{modules}", kvm.remedy, good=kvm.usable),
            Row("qemu", f"{qemu.version} {qemu.path}", good=True)
            if qemu.version
            else Row("qemu", qemu.reason, qemu.remedy, good=False),
            _feature("libvirt", libvirt.module, f"{libvirt.version}, with its Python module"),
            _feature("libvirt embedded", libvirt.embedded, "qemu:///embed opens"),
        ),
    )


def devices(host: Host) -> Section:
    """What can be handed to VMs and containers, and what keeps it from being."""
    iommu = host.iommu
    groups = (
        Row("iommu", f"{iommu.groups} groups", good=True)
        if iommu.active
        else Row("iommu", iommu.reason, iommu.remedy, good=False)
    )
    return Section("Devices", (groups, *(_slices(host) or [Row("sr-iov", "no device has virtual functions")])))


def _slices(host: Host) -> list[Row]:
    """What virtual functions need, for hosts with cards that have them."""
    rows = [row for device in host.sriov for row in _sriov(device)]
    rows += [
        Row("sr-iov", f"{card.address} ({card.driver or 'no driver'}) {card.reason}", card.remedy, good=False)
        for card in host.unsliced
    ]
    if host.sriov:
        rows += [
            _feature("vfio-pci", host.vfio.driver, "the driver is loaded, or can be"),
            _feature("remapping", host.vfio.remapping, "a device can raise no interrupts but its own"),
        ]
    return rows


def _sriov(device: facts.SriovDevice) -> Iterator[Row]:
    what = " ".join(filter(None, [device.driver or "no driver", *device.interfaces]))
    vfs = f"{len(device.vfs)} of {device.total_vfs} virtual functions"
    group = f"IOMMU group {device.iommu_group}" if device.iommu_group is not None else "in no IOMMU group"
    remedy = "" if device.driver else f"modprobe {device.modalias or 'its driver'}"
    yield Row("sr-iov", f"{device.address} ({what}): {vfs}, {group}", remedy, good=bool(device.driver))
    if not device.room:
        reason = f"{device.address} has no memory set aside for its virtual functions"
        yield Row(
            "sr-iov room", reason, "SR-IOV and Above 4G Decoding in the firmware's set-up, or pci=realloc", good=False
        )
    if device.company:
        reason = f"virtual functions of {device.address} share an IOMMU group with {', '.join(device.company)}"
        if not device.vfs:
            reason = f"{device.address} is in an IOMMU group with {', '.join(device.company)}: so may its functions be"
        yield Row("isolation", reason, "no VM can have them: use a slot behind a port with ACS", good=False)


def _feature(name: str, feature: facts.Feature, text: str) -> Row:
    if feature.available:
        return Row(name, text, good=True)
    return Row(name, feature.reason, feature.remedy, good=False)
