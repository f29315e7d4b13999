"""A card from the first write to the last: made ready to hand out virtual functions, and made what it was before."""

from __future__ import annotations

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network

from isoscope.backends.network import device, netlink
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.journal import Journal
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Function, Pci
from isoscope.backends.sriov.safety import check_closed, why_taken
from isoscope.core.errors import HostError, NotFound


def take(pci: Pci, journal: Journal) -> None:
    """Make a card ready. What it was like is written down first.

    Raises InputError or HostError, and undoes what it did by then.
    """
    journal.begin()
    try:
        _prepare(pci, journal)
        journal.ready = True
        journal.save()
    except BaseException:
        with suppress(HostError):  # the first error tells more; the journal is there for `gc`
            restore(pci, journal, Links.read())
        raise


def _prepare(pci: Pci, journal: Journal) -> None:
    if journal.made:
        # No driver of the host's is to look at functions that are not for the host.
        pci.set_autoprobe(journal.card, on=False)
        pci.set_vf_count(journal.card, journal.made)
    settings.set_up(journal.interface, up=True)
    own, prefix = _own_address(journal)
    try:
        index = socket.if_nametoindex(journal.interface)
        netlink.request(netlink.address(index, prefix, device.local(own, prefix)))
    except OSError as error:
        raise netlink.refused(f"give {journal.interface} an address", error) from error


def restore(pci: Pci, journal: Journal, links: Links) -> None:
    """Make a card of which nothing is leased what it was, as far as nobody else has changed it meanwhile.

    Raises HostError when somebody uses what would go; the journal stays then, and a later call goes on.
    """
    try:
        card = pci.function(journal.card)
    except NotFound:  # taken out, and what it was like went with it
        journal.forget()
        return
    if journal.made and len(card.vfs) == journal.made:
        for _, vf in pci.virtual_functions(card):
            _check_unused(pci, vf, links)
        pci.set_vf_count(card.address, 0)
    if card.autoprobe != journal.autoprobe:
        pci.set_autoprobe(card.address, on=journal.autoprobe)
    for interface in card.interfaces[:1]:  # none while its driver is not loaded
        _restore_device(interface, journal, links)
    journal.forget()


def _check_unused(pci: Pci, vf: Function, links: Links) -> None:
    check_closed(pci, vf, cannot="go")
    if why := why_taken(vf, links):
        raise HostError(f"{why}, and cannot go", hint="give it back, and run isoscope gc")


def _restore_device(interface: str, journal: Journal, links: Links) -> None:
    own, prefix = _own_address(journal)
    settings.remove_address(interface, str(own), prefix)
    others = Links(addresses={interface: tuple(set(links.addresses.get(interface, ())) - {f"{own}/{prefix}"})})
    # Whoever has given it an address meanwhile needs it up.
    if not journal.up and interface in links.up and not others.why_used(interface):
        settings.set_up(interface, up=False)


def _own_address(journal: Journal) -> tuple[IPv4Address, int]:
    """The host's on the card, with the length of its prefix."""
    network = IPv4Network(journal.subnet)
    return next(network.hosts()), network.prefixlen
