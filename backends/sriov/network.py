"""Hands out virtual functions of network cards, and gives them back exactly as they were."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from isoscope.backends.network import device, netlink, subnet
from isoscope.backends.network.forwarding import host_lock
from isoscope.backends.network.lock import locked
from isoscope.backends.sriov import settings
from isoscope.backends.sriov.journal import Journal, journals
from isoscope.backends.sriov.lease import VfLease, VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import NETWORK, Function, Pci
from isoscope.backends.sriov.safety import VFIO, check_card, check_group, why_taken
from isoscope.core.errors import HostError, InputError
from isoscope.core.registry import Record, Registry

#: How many virtual functions are made of a card that could have hundreds.
_MOST = 8


class VfNetwork:
    """The cards that one state directory hands out functions of. Construction touches nothing.

    The order in which a backend uses it is that of `BridgeNetwork`: lease, connect (containers), release, sweep, close.
    """

    def __init__(self, home: Path, pci: Pci | None = None, links: Callable[[], Links] = Links.read) -> None:
        self.home = home
        self._pci = pci or Pci()
        self._links = links
        self._directory = home / "sriov"

    def plan(self, terms: VfTerms, *, to_vm: bool) -> list[str]:
        """What a lease would do, a sentence each. Raises what `lease` raises for want of a card."""
        card = self._choose(terms, self._links())
        lines = [f"take {card.interfaces[0]} ({card.address}, driver {card.driver}, IOMMU group {card.group})"]
        if not card.vfs:
            lines.append(f"write 0 to its sriov_drivers_autoprobe, and {_count(card, terms)} to its sriov_numvfs")
        for vf in map(self._pci.function, card.vfs):
            taken = why_taken(vf, self._links())
            members = ", ".join(one.address for one in self._pci.group(vf.group)) if vf.group is not None else "none"
            lines.append(
                f"{vf.address}: driver {vf.driver or 'none'}, IOMMU group {vf.group} of {members}: {taken or 'free'}"
            )
        lines.append("set the hardware address, VLAN, spoof check and trust of a free one through the card")
        lines.append(f"bind it to {VFIO}" if to_vm else "bind it to its driver, and move its device into the namespace")
        return lines

    def lease(self, record: Record, terms: VfTerms, *, to_vm: bool) -> VfLease:
        """Reserve a virtual function for the record's instance, made first where there is none.

        Raises InputError or HostError before anything is touched; what fails later is undone.
        """
        with host_lock(), locked(self._directory):
            journal = self._journal(terms)
            try:
                lease = self._reserve(journal, record, terms, to_vm=to_vm)
                record.claim(network=lease.as_dict())
                self._set_terms(lease, terms)
            except BaseException:
                self._return(journal, record.id)
                raise
        return lease

    def connect(self, lease: VfLease, netns: int) -> None:
        """Move the function's network device into a namespace, as its `eth0`. Raises HostError."""
        self._probe(lease)
        [name] = self._pci.function(lease.function).interfaces or [""]
        if not name:
            raise HostError(f"{lease.function} has a driver, and no network device", hint="dmesg may say why")
        attributes = [("IFLA_NET_NS_FD", netns), ("IFLA_IFNAME", "eth0")]
        try:
            index = int((Path("/sys/class/net") / name / "ifindex").read_text())
            netlink.request(netlink.link(netlink.RTM_NEWLINK, index=index, attributes=attributes))
            device.configure(lease, netns)
        except OSError as error:
            raise netlink.refused(f"move {name} into the network namespace", error) from error

    def release(self, record: Record) -> None:
        """Give back what the record's instance has. Idempotent, also in another process than the one that leased."""
        if not self._directory.exists():
            return
        with host_lock(), locked(self._directory):
            for journal in journals(self._directory):
                self._give_back(journal, record.id)

    def sweep(self, live: Iterable[Record]) -> list[str]:
        """Give back what dead instances have, and restore the cards that nobody uses any more."""
        if not self._directory.exists():
            return []
        lines = []
        with host_lock(), locked(self._directory):
            held = {record.id for record in live if record.exit is None}
            held |= {record.id for record in Registry(self.home) if record.exit is None and record.owner.alive()}
            for journal in journals(self._directory):
                for instance in set(journal.leases.values()) - held:
                    self._give_back(journal, instance)
                    lines.append(f"gave back the virtual function of instance {instance}")
                if not journal.leases:
                    self._restore(journal)
                    lines.append(f"restored the card {journal.card}")
        return lines

    def close(self) -> None:
        """Restore the cards of which nothing is handed out. Idempotent."""
        if not self._directory.exists():
            return
        with host_lock(), locked(self._directory):
            for journal in journals(self._directory):
                if not journal.leases:
                    self._restore(journal)

    # Below, all is done under the locks.

    def _journal(self, terms: VfTerms) -> Journal:
        """The journal of a card that is ready to hand out functions: one that we have already, or a new one."""
        for journal in journals(self._directory):
            card = self._pci.function(journal.card)
            if terms.card in ("", card.address, *card.interfaces) and len(journal.leases) < len(card.vfs):
                return journal
        links = self._links()
        card = self._choose(terms, links)
        interface = card.interfaces[0]
        journal = Journal(
            self._directory / f"{card.address}.json",
            card.address,
            interface,
            up=interface in links.up,
            autoprobe=card.autoprobe,
            made=0 if card.vfs else _count(card, terms),
            subnet=str(subnet.choose(sum(card.address.encode()), subnet.routed())),
        )
        journal.save()
        try:
            self._prepare(journal)
        except BaseException:
            self._restore(journal)
            raise
        return journal

    def _choose(self, terms: VfTerms, links: Links) -> Function:
        """The card that is named, or the first that may be touched. Raises InputError or HostError."""
        cards = [card for card in self._pci.physical_functions() if card.kind == NETWORK and card.interfaces]
        if terms.card:
            cards = [card for card in cards if terms.card in (card.address, *card.interfaces)]
            if not cards:
                raise InputError(f"{terms.card!r} is no card with virtual functions", hint="isoscope doctor lists them")
        if not cards:
            raise HostError("no network card here has virtual functions", hint="isoscope doctor; isoscope rig has one")
        refusals = []
        for card in cards:
            try:
                check_card(card, links, wanted=terms.functions, force=terms.force)
                self._check_free(card, links)
            except (InputError, HostError) as error:
                refusals.append(error)
            else:
                return card
        raise refusals[0]

    def _check_free(self, card: Function, links: Links) -> None:
        taken = [why_taken(self._pci.function(vf), links) for vf in card.vfs]
        if taken and all(taken):
            raise InputError(f"no virtual function of {card.address} is free: {taken[0]}", hint="isoscope ps")

    def _prepare(self, journal: Journal) -> None:
        if journal.made:
            # No driver of the host's is to look at functions that are not for the host.
            self._pci.set_autoprobe(journal.card, on=False)
            self._pci.set_vf_count(journal.card, journal.made)
        settings.set_up(journal.interface, up=True)
        host = next(IPv4Network(journal.subnet).hosts())
        index = int((Path("/sys/class/net") / journal.interface / "ifindex").read_text())
        prefix = IPv4Network(journal.subnet).prefixlen
        try:
            netlink.request(netlink.address(index, prefix, device.local(host, prefix)))
        except OSError as error:
            raise netlink.refused(f"give {journal.interface} an address", error) from error

    def _reserve(self, journal: Journal, record: Record, terms: VfTerms, *, to_vm: bool) -> VfLease:
        card = self._pci.function(journal.card)
        links = self._links()
        why = "each has an instance already"
        for number, address in enumerate(card.vfs):
            vf = self._pci.function(address)
            if address in journal.leases:
                continue
            if taken := why_taken(vf, links):
                why = taken
                continue
            if to_vm:
                check_group(self._pci, vf)
                self._require_vfio()
            journal.functions[address] = {
                "driver": vf.driver,
                "interfaces": list(vf.interfaces),
                "number": number,
                "terms": settings.read(journal.interface, number),
            }
            journal.leases[address] = record.id
            journal.save()
            network = IPv4Network(journal.subnet)
            mtu = int((Path("/sys/class/net") / journal.interface / "mtu").read_text())
            return VfLease(
                card=card.address,
                interface=journal.interface,
                function=address,
                number=number,
                mac=device.mac(network[2 + number]),
                vlan=terms.vlan,
                address=str(network[2 + number]),
                prefix_length=network.prefixlen,
                gateway=None,
                mtu=mtu,
            )
        raise InputError(f"no virtual function of {card.address} is free: {why}", hint="isoscope ps")

    def _set_terms(self, lease: VfLease, terms: VfTerms) -> None:
        wanted = {"mac": lease.mac, "spoofchk": int(terms.spoof_check), "trust": int(terms.trust)}
        if lease.vlan is not None:
            wanted["vlan"] = lease.vlan
        settings.write(lease.interface, lease.number, wanted)

    def _probe(self, lease: VfLease) -> None:
        """Bind a function to the driver that the kernel has for it."""
        if self._pci.function(lease.function).driver:
            return
        with suppress(OSError):
            subprocess.run(["modprobe", "-q", self._pci.modalias(lease.function)], check=False, capture_output=True)
        self._pci.probe(lease.function, lease.card)

    def _require_vfio(self) -> None:
        if self._pci.has_driver(VFIO):
            return
        with suppress(OSError):
            subprocess.run(["modprobe", "-q", VFIO], check=False, capture_output=True)
        if not self._pci.has_driver(VFIO):
            raise HostError(
                f"the kernel has no driver {VFIO}, which hands devices to VMs",
                hint="modprobe vfio-pci; Debian's linux-image-amd64 has it",
            )

    def _give_back(self, journal: Journal, instance: str) -> None:
        for address in [address for address, holder in journal.leases.items() if holder == instance]:
            before = journal.functions[address]
            with suppress(InputError):  # somebody has taken the function away meanwhile
                self._pci.unbind(address)  # wherever its network device is by now, it is gone
                if before["driver"]:
                    self._pci.bind(address, before["driver"])
                settings.write(journal.interface, before["number"], before["terms"])
            del journal.leases[address], journal.functions[address]
            journal.save()

    def _return(self, journal: Journal, instance: str) -> None:
        """Undo a lease that failed; the first error tells more than one that this meets."""
        with suppress(HostError):
            self._give_back(journal, instance)
            if not journal.leases:
                self._restore(journal)

    def _restore(self, journal: Journal) -> None:
        """Make the card what it was before."""
        if journal.made:
            self._pci.set_vf_count(journal.card, 0)
        self._pci.set_autoprobe(journal.card, on=journal.autoprobe)
        network = IPv4Network(journal.subnet)
        settings.remove_address(journal.interface, str(next(network.hosts())), network.prefixlen)
        if not journal.up:
            settings.set_up(journal.interface, up=False)
        journal.forget()


def _count(card: Function, terms: VfTerms) -> int:
    """How many virtual functions to make."""
    return terms.functions or min(card.total_vfs, _MOST)
