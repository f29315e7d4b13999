"""What must not be touched: each check names what stands in the way, before anything is changed."""

from __future__ import annotations

from ipaddress import ip_interface

from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Function, Pci
from isoscope.core.errors import HostError, InputError

VFIO = "vfio-pci"

_FORCE = "choose another with pf=..., or add force=yes to the variant if you are sure"


def check_card(card: Function, links: Links, *, wanted: int, force: bool) -> None:
    """Whether a card may be worked with at all. Raises InputError or HostError.

    `wanted` is how many virtual functions it is to have. With `force`, a card that the host itself uses is taken, too.
    """
    if not card.driver:
        raise HostError(f"{card.address} has no driver, so nothing can make its virtual functions", hint="modprobe it")
    if wanted > card.total_vfs:
        raise InputError(
            f"{card.address} has at most {card.total_vfs} virtual functions, not {wanted}", hint="ask for fewer"
        )
    if 0 < len(card.vfs) < wanted:
        raise InputError(
            f"{card.address} has {len(card.vfs)} virtual functions already, made by somebody else; "
            "to have more, all of them would have to go first",
            hint=f"ask for {len(card.vfs)}, or set {card.address}/sriov_numvfs to 0 yourself",
        )
    if not force:
        _check_unused(card, links)


def _check_unused(card: Function, links: Links) -> None:
    for name in card.interfaces:
        if name in links.default_routes:
            raise InputError(f"{name} ({card.address}) carries this host's default route", hint=_FORCE)
        addresses = [text for text in links.addresses.get(name, ()) if not ip_interface(text).is_link_local]
        if addresses:
            raise InputError(f"{name} ({card.address}) is in use: it has {addresses[0]}", hint=_FORCE)
        if name in links.masters:
            raise InputError(f"{name} ({card.address}) is part of {links.masters[name]}", hint=_FORCE)


def why_taken(vf: Function, links: Links) -> str:
    """Why a virtual function is not free, or ""."""
    if vf.driver == VFIO:
        return f"{vf.address} is handed out already: its driver is {VFIO}"
    if vf.driver and not vf.interfaces:
        return f"{vf.address} is used by its driver {vf.driver}, in another network namespace or as no network device"
    for name in vf.interfaces:
        if name in links.up or links.addresses.get(name) or name in links.masters:
            return f"{vf.address} is in use as {name}"
    return ""


def check_group(pci: Pci, vf: Function) -> None:
    """Whether VFIO can give a function to a VM without giving away anything else. Raises HostError."""
    if vf.group is None:
        raise HostError(
            f"{vf.address} is in no IOMMU group: nothing would keep it from the host's memory",
            hint="enable VT-d or AMD-Vi in the firmware, and boot with intel_iommu=on or amd_iommu=on",
        )
    others = [one for one in pci.group(vf.group) if one.address != vf.address and not one.is_bridge]
    strangers = [one for one in others if not vf.physical or one.physical != vf.physical]
    if strangers:
        names = ", ".join(f"{one.address} ({one.driver or 'no driver'})" for one in strangers)
        raise HostError(
            f"IOMMU group {vf.group} of {vf.address} also holds {names}",
            hint="use a slot behind a port with ACS, or a card whose functions have groups of their own",
        )
    busy = [one for one in others if one.driver not in ("", VFIO)]
    if busy:
        raise HostError(
            f"IOMMU group {vf.group} of {vf.address} also holds {busy[0].address}, which {busy[0].driver} uses",
            hint="use a slot behind a port with ACS",
        )
