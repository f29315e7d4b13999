"""The libvirt domain of one VM, built as a tree: https://libvirt.org/formatdomain.html.

Nothing that a user, an image or a workload says gets into it: they are told to the guest, over the control channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoscope.backends.network import Lease
from isoscope.backends.sriov import VfLease
from isoscope.backends.vm.processor import Processor
from isoscope.backends.vm.protocol import PORT
from isoscope.backends.vm.shares import Share
from isoscope.backends.vm.storage import Storage
from isoscope.core.errors import InputError

#: Some 20 ms to the kernel instead of SeaBIOS's 150: it does nothing but start the kernel by PVH.
FIRMWARE = Path("/usr/share/qemu/qboot.rom")

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


@dataclass(frozen=True)
class Machine:
    """What the domain is made of."""

    name: str
    accelerator: str  #: `kvm` or `tcg`
    type: str  #: the versioned machine type
    emulator: str
    vcpus: int
    memory: int  #: bytes
    kernel: Path
    initrd: Path
    pvh: bool  #: the kernel is for the PVH entry point
    disk: Path  #: the VM's private disk
    base: Path  #: the image's disk, raw: what a qcow2 overlay stands on
    console: Path  #: a socket on which somebody listens already
    control: Path  #: likewise
    lease: Lease | VfLease | None
    tsc_khz: int | None = None  #: rate of the time-stamp counter that the guest sees, where it is known
    vhost: bool = False  #: the host's kernel moves the network card's packets, not QEMU
    storage: Storage = field(default_factory=Storage)
    processor: Processor = field(default_factory=Processor)
    shares: tuple[Share, ...] = ()


def command_line(machine: Machine) -> str:
    """The kernel's parameters (Documentation/admin-guide/kernel-parameters.txt)."""
    words = [
        # The order matters: the early console shows what was said before it came, as far as the level allows then, and
        # that is the line "Linux version"; after it, only errors.
        "loglevel=6",
        "earlyprintk=ttyS0",
        "quiet",
        "console=ttyS0",
        # A guest that panics ends at once, and the host is told.
        "panic=-1",
        "reboot=t",
        # Half a fifth of a second of self-tests, of algorithms that nobody uses here.
        "cryptomgr.notests",
    ]
    if machine.accelerator == "tcg":
        words += ["no_timer_check", "tsc=reliable"]
        if machine.tsc_khz is not None:
            words.append(f"tsc_early_khz={machine.tsc_khz}")  # what it measures itself may be far off: see tsc.py
        if machine.vcpus == 1:
            # Calibrating the local APIC's timer takes 100 ms; KVM tells its rate, TCG does not. One CPU has the HPET.
            words.append("nolapic_timer")
    return " ".join(words)


def domain_xml(machine: Machine) -> str:
    """The domain as XML. Raises InputError for a path that XML cannot hold."""
    from lxml import etree

    try:
        return etree.tostring(_domain(machine), pretty_print=True, encoding="unicode")
    except ValueError as error:  # control characters, lone surrogates
        raise InputError(
            "the state directory's path has characters that XML cannot hold", hint="set ISOSCOPE_HOME to another"
        ) from error


def _domain(machine: Machine) -> Any:
    from lxml.builder import ElementMaker

    e = ElementMaker(nsmap={"qemu": _QEMU})
    q = ElementMaker(namespace=_QEMU, nsmap={"qemu": _QEMU})
    return e.domain(
        {"type": "kvm" if machine.accelerator == "kvm" else "qemu"},
        e.name(machine.name),
        e.memory({"unit": "b"}, str(machine.memory)),
        e.vcpu(str(machine.vcpus)),
        *([e.iothreads("1")] if machine.storage.iothread else []),
        *machine.processor.tuning(e),
        *([_shared_memory(e)] if machine.shares else []),
        e.os(*_boot(e, machine)),
        e.features(e.acpi(), e.apic()),
        machine.processor.element(e, machine.accelerator),
        *(getattr(e, f"on_{what}")("destroy") for what in ("poweroff", "reboot", "crash")),
        e.devices(e.emulator(machine.emulator), *_devices(e, machine)),
        # With it, libvirt asks QEMU for each of 400 properties of the CPU, one by one, before it lets the guest run:
        # half of the time that it takes to start a VM. Without, it asks for the same in two questions.
        q.capabilities(getattr(q, "del")({"capability": "cpu-unavailable-features"})),
    )


def _boot(e: Any, machine: Machine) -> Iterator[Any]:
    yield e.type({"arch": "x86_64", "machine": machine.type}, "hvm")
    if machine.pvh and FIRMWARE.exists():
        yield e.loader({"type": "rom", "readonly": "yes"}, str(FIRMWARE))
    yield e.kernel(str(machine.kernel))
    yield e.initrd(str(machine.initrd))
    yield e.cmdline(command_line(machine))


def _devices(e: Any, machine: Machine) -> Iterator[Any]:
    # Straight on the root complex: a root port for each would have to be found and set up, too.
    yield e.controller({"type": "usb", "model": "none"})
    yield e.controller({"type": "virtio-serial", "index": "0"}, _address(e, 2))
    yield _disk(e, machine)
    if isinstance(machine.lease, VfLease):
        yield _hostdev_interface(e, machine.lease)
    elif machine.lease is not None:
        yield _interface(e, machine.lease, vhost=machine.vhost)
    for number, share in enumerate(machine.shares):
        yield e.filesystem(
            {"type": "mount", "accessmode": "passthrough"},
            e.driver({"type": "virtiofs"}),
            e.source({"dir": str(share.directory)}),
            e.target({"dir": share.tag}),
            _address(e, 5 + number),
        )
    yield e.serial(
        {"type": "unix"},
        e.source({"mode": "connect", "path": str(machine.console)}),
        e.target({"type": "isa-serial", "port": "0"}),
    )
    yield e.channel(
        {"type": "unix"},
        e.source({"mode": "connect", "path": str(machine.control)}),
        e.target({"type": "virtio", "name": PORT}),
    )
    yield e.audio({"id": "1", "type": "none"})
    yield e.memballoon({"model": "none"})


def _disk(e: Any, machine: Machine) -> Any:
    return e.disk(
        {"type": "file", "device": "disk"},
        e.driver(machine.storage.driver()),
        e.source({"file": str(machine.disk)}),
        *([_base(e, machine)] if machine.storage.format == "qcow2" else []),
        e.target({"dev": "vda", "bus": "virtio"}),
        _address(e, 3),
    )


def _base(e: Any, machine: Machine) -> Any:
    return e.backingStore(
        {"type": "file"},
        e.format({"type": "raw"}),
        # It is shared by many and read-only: nobody may take it over.
        e.source({"file": str(machine.base)}, e.seclabel({"model": "dac", "relabel": "no"})),
        e.backingStore(),
    )


def _shared_memory(e: Any) -> Any:
    """The daemon that serves virtiofs reads and writes the guest's memory itself."""
    return e.memoryBacking(e.source({"type": "memfd"}), e.access({"mode": "shared"}))


def _interface(e: Any, lease: Lease, *, vhost: bool) -> Any:
    return e.interface(
        {"type": "bridge"},
        e.mac({"address": lease.mac}),
        e.source({"bridge": lease.bridge}),
        e.target({"dev": lease.interface}),
        e.model({"type": "virtio"}),
        # Never left to libvirt, which takes vhost where it can and does not say so.
        e.driver({"name": "vhost" if vhost else "qemu"}),
        e.mtu({"size": str(lease.mtu)}),
        e.rom({"enabled": "no"}),  # nobody boots from the network here
        _address(e, 4),
    )


def _hostdev_interface(e: Any, lease: VfLease) -> Any:
    """A virtual function. `managed`: libvirt binds it to VFIO and back, and sets its address through the card."""
    domain, bus, rest = lease.function.split(":")
    slot, number = rest.split(".")
    place = {"domain": f"0x{domain}", "bus": f"0x{bus}", "slot": f"0x{slot}", "function": f"0x{number}"}
    return e.interface(
        {"type": "hostdev", "managed": "yes"},
        e.mac({"address": lease.mac}),
        e.source(e.address({"type": "pci", **place})),
        *([e.vlan(e.tag({"id": str(lease.vlan)}))] if lease.vlan is not None else []),
        e.rom({"enabled": "no"}),
        _address(e, 4),
    )


def _address(e: Any, slot: int) -> Any:
    return e.address({"type": "pci", "domain": "0", "bus": "0", "slot": str(slot), "function": "0"})
