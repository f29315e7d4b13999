"""The vocabulary of host probing: frozen values that say what is there, and why something is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True)
class Feature:
    """Something that was tried."""

    available: bool
    reason: str = ""  #: why it is not available, in one line
    remedy: str = ""  #: a command, or a sentence, that gets it


class KvmStatus(StrEnum):
    """The verdict on KVM; see docs/explanation/kvm-verdict.md."""

    USABLE = "usable"  #: guest code runs on the processor itself
    EMULATED = "emulated"  #: guest kernels are interpreted: slower than TCG, and they may stop at some instruction
    ABSENT = "absent"  #: no KVM, or none that this user may open


@dataclass(frozen=True)
class Kvm:
    """What came of running a few long-mode guest instructions through the KVM API."""

    status: KvmStatus
    reason: str
    remedy: str = ""
    modules: tuple[str, ...] = ()  #: of /sys/module: those whose name begins with `kvm`
    #: CPU time of a guest's loop over that of the same loop outside; None when it was not measured.
    slowdown: float | None = None
    cached: bool = False  #: the verdict of an earlier command in this boot

    @property
    def usable(self) -> bool:
        """Whether a virtual machine should use KVM."""
        return self.status is KvmStatus.USABLE


@dataclass(frozen=True)
class Kernel:
    """The running kernel, as in uname(2)."""

    release: str
    version: str
    architecture: str
    boot_id: str


@dataclass(frozen=True)
class Distribution:
    """What os-release(5) says; empty fields where it says nothing."""

    id: str
    version: str
    name: str


@dataclass(frozen=True)
class Cpu:
    """The processors that are online."""

    model: str
    vendor: str
    logical: int  #: hardware threads online
    usable: int  #: of these, the ones that this process may run on: sched_getaffinity(2)
    cores: int | None  #: physical cores; None where /proc/cpuinfo does not tell
    sockets: int | None

    @property
    def smt(self) -> bool | None:
        """Whether cores have more than one hardware thread."""
        return None if self.cores is None else self.logical > self.cores


@dataclass(frozen=True)
class Memory:
    """Bytes, from proc_meminfo(5); None where it does not tell."""

    total: int | None
    available: int | None
    swap: int | None


@dataclass(frozen=True)
class Privileges:
    """What this process may do."""

    user: int  #: effective user id
    effective: tuple[str, ...]  #: capabilities(7), sorted
    missing: tuple[str, ...]  #: capabilities that the kernel knows and this process lacks

    @property
    def root(self) -> bool:
        """Whether the effective user is root, with whatever capabilities are left to it."""
        return self.user == 0


@dataclass(frozen=True)
class Virtualized:
    """Whether this host is itself a virtual machine."""

    nested: bool
    hypervisor: str = ""  #: whose, where it can be told
    evidence: str = ""  #: what told so
    signature: str = ""  #: the hypervisor's, in CPUID leaf 0x40000000; empty where none could be read

    @property
    def emulated(self) -> bool:
        """Whether the processor itself is made of software, so that no figure taken here is a speed."""
        return self.signature == "TCGTCGTCGTCG"  # QEMU, target/i386/cpu.c


class Layout(StrEnum):
    """How the control groups are mounted; cgroups(7)."""

    V1 = "v1"
    HYBRID = "hybrid"  #: controllers in v1 hierarchies, beside a v2 hierarchy
    V2 = "v2"
    NONE = "none"


#: The controllers behind the limits of a workload.
NEEDED_CONTROLLERS = ("cpu", "memory", "pids")

#: What gives a user other than root a cgroup of its own.
DELEGATE = "run as root, or in a scope of your own: systemd-run --user --scope -p Delegate=yes isoscope ..."


@dataclass(frozen=True)
class Group:
    """A cgroup directory, and whether a group could be made in it (a directory was made and removed again)."""

    path: Path
    writable: Feature


@dataclass(frozen=True)
class Controller:
    """One cgroup controller in the hierarchy that has it."""

    name: str
    version: int  #: of the hierarchy: 1 or 2
    top: Group  #: where the hierarchy is mounted
    own: Group  #: this process's own group in it
    delegated: bool  #: groups made in `own` can have the controller, as far as `own` decides


@dataclass(frozen=True)
class Cgroups:
    """The control groups of this host, as this process sees them."""

    layout: Layout
    controllers: Mapping[str, Controller] = field(default_factory=dict)
    top: Group | None = None  #: where the v2 hierarchy is mounted
    own: Group | None = None  #: this process's own group in the v2 hierarchy
    missing: tuple[str, ...] = ()  #: of cpu, memory and pids: those that no hierarchy has
    reason: str = ""  #: why some are missing
    remedy: str = ""


@dataclass(frozen=True)
class Overlay:
    """overlayfs, mounted with its upper directory in the state directory."""

    privileged: Feature  #: by this process as it is
    user_namespace: Feature  #: by this process in a user namespace of its own (`userxattr`)


@dataclass(frozen=True)
class Networking:
    """What could be made in a fresh network namespace."""

    netlink: Feature
    bridge: Feature
    veth: Feature
    nat: Feature  #: an nftables chain with a masquerade rule
    tap: Feature


@dataclass(frozen=True)
class Libvirt:
    """libvirt's library, Python module and embedded driver."""

    module: Feature  #: `import libvirt`
    version: str = ""  #: of the library
    embedded: Feature = Feature(False, "not tried")  #: `qemu:///embed` opens


@dataclass(frozen=True)
class Qemu:
    """The system emulator for this host's architecture."""

    path: Path | None
    version: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Iommu:
    """IOMMU groups: what VFIO hands out."""

    groups: int
    units: tuple[str, ...] = ()  #: of /sys/class/iommu
    reason: str = ""
    remedy: str = ""

    @property
    def active(self) -> bool:
        """Whether devices are in groups."""
        return self.groups > 0


@dataclass(frozen=True)
class SriovDevice:
    """A PCI device that can split itself into virtual functions."""

    address: str  #: as in 0000:01:00.0
    driver: str
    total_vfs: int
    vfs: tuple[str, ...]  #: addresses of the functions that exist now
    interfaces: tuple[str, ...]  #: network interfaces of the physical function
    iommu_group: int | None
    modalias: str = ""  #: what modprobe(8) finds its driver by
    room: bool = True  #: the firmware, or the kernel, has set memory aside for its virtual functions' registers
    #: What else is in the IOMMU groups of its virtual functions; where there are none yet, in its own, as in
    #: `0000:00:1c.4 (pcieport)`.
    company: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unsliced:
    """A network card that should have virtual functions, and shows none."""

    address: str
    driver: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Vfio:
    """What hands devices to VMs, beside an IOMMU."""

    driver: Feature  #: vfio-pci is loaded, or can be
    remapping: Feature  #: interrupts are remapped: else a device could raise any of the host's
