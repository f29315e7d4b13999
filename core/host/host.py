"""The host as one object whose facts are probed when they are first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from isoscope.core.display import Displayed
from isoscope.core.host import facts
from isoscope.core.host.facts import Feature

#: The facts of a host, in the order in which they are told.
FACTS = (
    "kernel",
    "distribution",
    "cpu",
    "memory",
    "privileges",
    "virtualized",
    "kvm",
    "cgroups",
    "namespaces",
    "user_namespaces",
    "overlayfs",
    "seccomp",
    "networking",
    "qemu",
    "libvirt",
    "iommu",
    "sriov",
    "unsliced",
    "vfio",
)

#: The facts that start a child process: asked for first when all are wanted, for they can wait for each other.
_SLOW = (
    "kvm",
    "libvirt",
    "networking",
    "overlayfs",
    "namespaces",
    "user_namespaces",
    "seccomp",
    "qemu",
    "virtualized",
)


class Host(Displayed):
    """What this host can do. Construction touches nothing; each fact is probed once, when it is first asked for.

    No fact raises: what cannot be had is a value with a reason. Whatever is tried is tried under a deadline, in a child
    process where it could hang or change this one. `root` is where /proc, /sys, /dev and /etc are looked for.
    """

    def __init__(self, home: Path, *, root: Path = Path("/")) -> None:
        self.home = home
        self.root = root
        self.fresh = False  #: nothing that was remembered counts: see `refresh`

    @cached_property
    def kernel(self) -> facts.Kernel:
        """The running kernel."""
        from isoscope.core.host import system

        return system.kernel(self.root)

    @cached_property
    def distribution(self) -> facts.Distribution:
        """What is installed: os-release(5)."""
        from isoscope.core.host import system

        return system.distribution(self.root)

    @cached_property
    def cpu(self) -> facts.Cpu:
        """The processors."""
        from isoscope.core.host import system

        return system.cpu(self.root)

    @cached_property
    def memory(self) -> facts.Memory:
        """Memory in bytes, as it was when first asked for."""
        from isoscope.core.host import system

        return system.memory(self.root)

    @cached_property
    def privileges(self) -> facts.Privileges:
        """User and capabilities of this process."""
        from isoscope.core.host import system

        return system.privileges(self.root)

    @cached_property
    def virtualized(self) -> facts.Virtualized:
        """Whether this host is itself a virtual machine."""
        from isoscope.core.host import system

        return system.virtualized(self.root)

    @cached_property
    def kvm(self) -> facts.Kvm:
        """The verdict on KVM. Remembered in `home / "cache"` for this boot, unless `refresh` was called."""
        from isoscope.core.host import kvm

        return kvm.verdict(self.root, self.home / "cache", fresh=self.fresh)

    @cached_property
    def cgroups(self) -> facts.Cgroups:
        """The control groups that this process is in, and whether groups can be made below them."""
        from isoscope.core.host import cgroups

        return cgroups.probe(self.root)

    @cached_property
    def namespaces(self) -> Mapping[str, Feature]:
        """For each kind of namespace, by its name in /proc/PID/ns: whether this process can make one."""
        from isoscope.core.host import isolation

        return isolation.namespaces()

    @cached_property
    def user_namespaces(self) -> Feature:
        """Whether a process without privileges can make a user namespace and is root inside."""
        from isoscope.core.host import isolation

        return isolation.user_namespaces(self.root)

    @cached_property
    def overlayfs(self) -> facts.Overlay:
        """Whether overlayfs can be mounted with its upper directory in the state directory."""
        from isoscope.core.host import isolation

        return isolation.overlayfs(self.home)

    @cached_property
    def seccomp(self) -> Feature:
        """Whether a seccomp filter can be installed and is obeyed."""
        from isoscope.core.host import isolation

        return isolation.seccomp()

    @cached_property
    def networking(self) -> facts.Networking:
        """What can be made in a fresh network namespace."""
        from isoscope.core.host import networking

        return networking.probe()

    @property
    def netlink(self) -> Feature:
        """Whether a route netlink socket answers."""
        return self.networking.netlink

    @cached_property
    def qemu(self) -> facts.Qemu:
        """The system emulator."""
        from isoscope.core.host import tools

        return tools.qemu()

    @cached_property
    def libvirt(self) -> facts.Libvirt:
        """The library libvirt and its embedded driver."""
        from isoscope.core.host import tools

        return tools.libvirt(self.home)

    @cached_property
    def iommu(self) -> facts.Iommu:
        """IOMMU groups."""
        from isoscope.core.host import devices

        return devices.iommu(self.root)

    @cached_property
    def sriov(self) -> tuple[facts.SriovDevice, ...]:
        """The devices that have virtual functions."""
        from isoscope.core.host import devices

        return devices.sriov(self.root)

    @cached_property
    def unsliced(self) -> tuple[facts.Unsliced, ...]:
        """The network cards that should have virtual functions, and show none."""
        from isoscope.core.host import devices

        return () if self.virtualized.nested else devices.unsliced(self.root)  # a guest has what it was given

    @cached_property
    def vfio(self) -> facts.Vfio:
        """What hands devices to VMs."""
        from isoscope.core.host import vfio

        return vfio.vfio(self.root)

    def refresh(self) -> None:
        """Forget every fact, so that each is probed anew when it is next asked for, the verdict on KVM too."""
        for name in FACTS:
            self.__dict__.pop(name, None)
        self.fresh = True

    def probe(self) -> None:
        """Probe, side by side, every fact that is not known yet."""
        with ThreadPoolExecutor(len(_SLOW)) as pool:
            list(pool.map(lambda name: getattr(self, name), _SLOW))

    def sweep(self) -> list[str]:
        """Remove what a killed probe left behind. Returns a line for each directory; cgroups go silently."""
        from isoscope.core.host.cgroups import probe
        from isoscope.core.host.scratch import sweep_directories

        probe(self.root)  # which begins by removing abandoned groups where it is about to make its own
        return sweep_directories(self.home / "cache")

    def as_dict(self) -> dict[str, Any]:
        """All facts as plain data, for `--json` and the environment of a run."""
        self.probe()
        return {name: _plain(getattr(self, name)) for name in FACTS}


def _plain(value: Any) -> Any:
    """As JSON has it; a dataclass with its properties, which are what readers ask for."""
    if is_dataclass(value):
        properties = (name for name, item in vars(type(value)).items() if isinstance(item, property))
        names = [*(field.name for field in fields(value)), *properties]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
