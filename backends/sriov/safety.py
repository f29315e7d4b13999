"""What must not be touched: each check names what stands in the way, before anything is changed."""

from __future__ import annotations

import subprocess
from collections.abc import Container
from contextlib import suppress

from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import VFIO, Function, Pci
from isoscope.core.errors import HostError, InputError

_FORCE = "choose another with pf=..., or add force=yes to the variant if you are sure"
_NO_IOMMU = "enable VT-d or AMD-Vi in the firmware's set-up; on Intel, boot with intel_iommu=on, too"


def check_card(card: Function, links: Links, *, wanted: int, force: bool) -> None:
    """Whether a card may be worked with at all. Raises InputError or HostError.

    `wanted` is how many virtual functions it is to have, 0 for any number. With `force`, a card that the host itself
    uses is taken, too.
    """
    if not card.driver:
        raise HostError(f"{card.address} has no driver, so nothing can make its virtual functions", hint="modprobe it")
    if not card.interfaces:
        raise HostError(
            f"{card.address} has no network device here: its driver is {card.driver}",
            hint="bind it to its network driver, in this network namespace, or choose another with pf=...",
        )
    if card.switched:
        raise HostError(
            f"{card.address} is in switchdev mode: what its virtual functions send goes to representors",
            hint=f"devlink dev eswitch set pci/{card.address} mode legacy, when nobody needs its switch",
        )
    if wanted > card.total_vfs:
        raise InputError(
            f"{card.address} has at most {card.total_vfs} virtual functions, not {wanted}", hint="ask for fewer"
        )
    if card.vfs and wanted not in (0, len(card.vfs)):
        raise InputError(
            f"{card.address} has {len(card.vfs)} virtual functions already, made by somebody else; "
            f"to have {wanted}, all of them would have to go first",
            hint=f"leave out vfs={wanted}, or set {card.address}/sriov_numvfs to 0 yourself",
        )
    if not force:
        _check_unused(card, links)


def _check_unused(card: Function, links: Links) -> None:
    for name in card.interfaces:
        if why := links.why_used(name):
            raise InputError(f"{name} ({card.address}) is in use: {why}", hint=_FORCE)


def check_iommu(card: Function) -> None:
    """Whether functions of a card could be handed to a VM, as far as can be told before they are there.

    Raises HostError.
    """
    if card.group is None:
        raise HostError(
            f"{card.address} is in no IOMMU group: nothing would keep a VM from the host's memory", hint=_NO_IOMMU
        )


def require_vfio(pci: Pci) -> None:
    """Load the driver that hands devices to VMs, unless it is. Raises HostError."""
    if not pci.has_driver(VFIO):
        load_module(VFIO)
    if not pci.has_driver(VFIO):
        raise HostError(
            f"the kernel has no driver {VFIO}, which hands devices to VMs",
            hint="modprobe vfio-pci; Debian's linux-image-amd64 has it",
        )


def load_module(name: str) -> None:
    """Have modprobe(8) load a module, or what has this modalias; whether it could is for the caller to see."""
    with suppress(OSError):
        subprocess.run(["modprobe", "-q", name], check=False, capture_output=True)


def check_closed(pci: Pci, vf: Function, *, cannot: str) -> None:
    """Whether nobody has a virtual function open through VFIO. Raises HostError, which says what it `cannot`."""
    if vf.driver == VFIO and (user := pci.user(vf.group)):
        raise HostError(f"{vf.address} is in use by {user}, and cannot {cannot}", hint="end it, and run isoscope gc")


def why_taken(vf: Function, links: Links) -> str:
    """Why a virtual function is not free, or ""."""
    if vf.driver == VFIO:
        return f"{vf.address} is handed out already: its driver is {VFIO}"
    if vf.driver and not vf.interfaces:
        return f"{vf.address} is used by its driver {vf.driver}, in another network namespace or as no network device"
    for name in vf.interfaces:
        if name in links.up or links.why_used(name):
            return f"{vf.address} is in use as {name}: {links.why_used(name) or 'it is up'}"
    return ""


def check_group(pci: Pci, vf: Function, *, to_vm: bool, leased: Container[str]) -> None:
    """Whether a function can be given away without giving away, or taking, anything else. Raises HostError.

    An IOMMU group belongs to VFIO or to the host's drivers as a whole: Documentation/driver-api/vfio.rst.
    """
    others = [] if vf.group is None else [one for one in pci.group(vf.group) if one.address != vf.address]
    others = [one for one in others if not one.is_bridge]
    if to_vm:
        _check_isolated(vf, others, leased)
        return
    for one in others:
        if one.driver == VFIO:
            raise HostError(
                f"IOMMU group {vf.group} of {vf.address} also holds {one.address}, which is handed to a VM",
                hint="no driver of the host's may have a device of that group meanwhile",
            )


def _check_isolated(vf: Function, others: list[Function], leased: Container[str]) -> None:
    check_iommu(vf)
    strangers = [one for one in others if not vf.physical or one.physical != vf.physical]
    if strangers:
        names = ", ".join(f"{one.address} ({one.driver or 'no driver'})" for one in strangers)
        raise HostError(
            f"IOMMU group {vf.group} of {vf.address} also holds {names}",
            hint="use a slot behind a port with ACS, or a card whose functions have groups of their own",
        )
    for one in others:
        who = "another instance" if one.address in leased else one.driver
        if who:
            raise HostError(
                f"IOMMU group {vf.group} of {vf.address} also holds {one.address}, which {who} uses",
                hint="use a slot behind a port with ACS",
            )
