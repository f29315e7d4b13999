"""What a lease will do, in sentences: the card, its functions, their groups and drivers, now, then and afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isoscope.backends.sriov.choice import choose_function, count
from isoscope.backends.sriov.lease import VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import VFIO, Function, Pci
from isoscope.backends.sriov.safety import why_taken

_WHICHEVER = "the one that the kernel has for it"


def whole(pci: Pci, card: Function) -> str:
    """The card itself."""
    return f"card {card.interfaces[0]}: {card.address}, driver {card.driver}, {_group(pci, card)}"


def taking(pci: Pci, card: Function, links: Links, terms: VfTerms) -> Iterator[str]:
    """What is done to a card before it hands out functions."""
    name = card.interfaces[0]
    state = (
        f"{len(card.vfs)} virtual functions, autoprobe {int(card.autoprobe)}, {'up' if name in links.up else 'down'}"
    )
    yield f"save to disk what {name} is like now: {state}"
    if not card.vfs:
        made = count(card, terms)
        yield f"write 0 to its sriov_drivers_autoprobe, and {made} to its sriov_numvfs"
        places = ", ".join(pci.addresses_to_be(card.address, made)) or "places that it does not tell yet"
        yield f"that makes {places}: without driver, in IOMMU groups that the kernel chooses then"
    yield f"bring {name} up, and add an address for instances to reach this host by"


def sentences(
    pci: Pci, card: Function, links: Links, leases: Mapping[str, str], terms: VfTerms, *, to_vm: bool
) -> Iterator[str]:
    """How one function of a card is handed out. Raises InputError or HostError where none could be."""
    for number, vf in pci.virtual_functions(card):
        whose = f"instance {leases[vf.address]}'s" if vf.address in leases else why_taken(vf, links) or "free"
        yield f"virtual function {number}: {vf.address}, driver {vf.driver or 'none'}, {_group(pci, vf)}: {whose}"
    address, now = _first(pci, card, links, leases, terms, to_vm=to_vm)
    vlan = f"VLAN {terms.vlan}" if terms.vlan else "no VLAN"
    checks = f"spoof check {'on' if terms.spoof_check else 'off'}, trust {'on' if terms.trust else 'off'}"
    yield f"set for {address}, through the card: a hardware address, {vlan}, {checks}"
    if to_vm and not pci.has_driver(VFIO):
        yield f"modprobe {VFIO}"
    then = VFIO if to_vm else now or _WHICHEVER
    back = "the function is gone" if not card.vfs else f"{now or 'none'} again"
    yield f"driver of {address}: {now or 'none'} now, {then} while the instance has it; afterwards {back}"
    if not to_vm:
        yield f"move the network device of {address} into the instance's network namespace, as eth0"


def _first(
    pci: Pci, card: Function, links: Links, leases: Mapping[str, str], terms: VfTerms, *, to_vm: bool
) -> tuple[str, str]:
    """Address and driver of the function that is handed out."""
    if card.vfs:
        _, vf = choose_function(pci, card, links, leases, to_vm=to_vm)
        return vf.address, vf.driver
    return next(iter(pci.addresses_to_be(card.address, count(card, terms))), "the first of them"), ""


def _group(pci: Pci, function: Function) -> str:
    if function.group is None:
        return "no IOMMU group"
    others = [one for one in pci.group(function.group) if one.address != function.address]
    members = ", ".join(f"{one.address} ({one.driver or 'no driver'})" for one in others)
    return f"IOMMU group {function.group} {f'with {members}' if members else 'of its own'}"
