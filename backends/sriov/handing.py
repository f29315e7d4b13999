"""One virtual function from its card's hands into an instance's, and back."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isoscope.backends.network import device, netlink
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.journal import Journal
from isoscope.backends.sriov.lease import VfLease, VfTerms
from isoscope.backends.sriov.pci import Function, Pci
from isoscope.backends.sriov.safety import check_closed, load_module
from isoscope.core.errors import HostError, InputError, NotFound


def before(vf: Function, interface: str, number: int) -> dict[str, Any]:
    """What a virtual function of the card behind `interface` is like: plain data, for its journal. Raises HostError."""
    return {
        "driver": vf.driver,
        "override": vf.override,
        "device": settings.read_device(vf.interfaces[0]) if vf.interfaces else None,
        "number": number,
        "terms": settings.read(interface, number),
    }


def set_terms(lease: VfLease, terms: VfTerms) -> None:
    """Set what an instance gets its virtual function with, through the card. Raises InputError or HostError."""
    has = settings.read(lease.interface, lease.number)
    for name, asked in (("trust", terms.trust), ("spoofchk", not terms.spoof_check), ("vlan", terms.vlan is not None)):
        if asked and name not in has:
            raise InputError(f"the driver of {lease.interface} has no setting {name}", hint=f"leave out {name}=...")
    wanted = {
        "mac": lease.mac,
        "vlan": settings.tagged(terms.vlan or 0),
        "spoofchk": int(terms.spoof_check),
        "trust": int(terms.trust),
    }
    settings.write(lease.interface, lease.number, {name: value for name, value in wanted.items() if name in has})


def connect(pci: Pci, lease: VfLease, netns: int) -> None:
    """Move a function's network device into a namespace, as its `eth0`. Raises HostError."""
    if not pci.function(lease.function).driver:
        load_module(pci.modalias(lease.function))
        pci.probe(lease.function, lease.card)
    index = _device(pci, lease.function)
    if index is None:
        raise HostError(f"{lease.function} has a driver, and no network device", hint="dmesg may say why")
    try:
        attributes = [("IFLA_NET_NS_FD", netns), ("IFLA_IFNAME", "eth0")]
        netlink.request(netlink.link(netlink.RTM_NEWLINK, index=index, attributes=attributes))
        device.configure(lease, netns)
    except OSError as error:
        raise netlink.refused(f"move the network device of {lease.function} into its namespace", error) from error


def _device(pci: Pci, address: str) -> int | None:
    """Index of the network device that a driver has just made; None when it has made none."""
    for _ in range(3):  # udev(7) may be giving it its name at this very moment
        for name in pci.function(address).interfaces:
            with suppress(OSError):
                return socket.if_nametoindex(name)
    return None


def give_back(pci: Pci, journal: Journal, instance: str) -> None:
    """Make what an instance has of a card what it was. Idempotent; raises HostError for what somebody holds on to."""
    for address in [address for address, holder in journal.leases.items() if holder == instance]:
        try:
            _restore(pci, journal, address, journal.functions[address])
        except HostError:
            if _stands(pci, address):
                raise
        del journal.leases[address], journal.functions[address]
        journal.save()


def _stands(pci: Pci, address: str) -> bool:
    """Whether a function is there; others may take it away at any moment, and then there is nothing to give back."""
    try:
        return bool(pci.function(address))
    except NotFound:
        return False


def _restore(pci: Pci, journal: Journal, address: str, then: Mapping[str, Any]) -> None:
    if not _stands(pci, address):
        return
    vf = pci.function(address)
    check_closed(pci, vf, cannot="be given back")
    pci.unbind(address)  # wherever its network device is by now, it is gone, with all that was set on it
    for interface in pci.function(journal.card).interfaces[:1]:
        settings.write(interface, then["number"], then["terms"])
    if then["driver"]:
        pci.bind(address, then["driver"])
        if then["device"] and (index := _device(pci, address)) is not None:
            settings.write_device(index, then["device"])
    if pci.function(address).override != then["override"]:
        pci.set_override(address, then["override"])
