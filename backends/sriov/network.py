"""Hands out virtual functions of network cards, and gives them back exactly as they were."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from isoscope.backends.network import device, subnet
from isoscope.backends.network.forwarding import host_lock
from isoscope.backends.network.lock import locked
from isoscope.backends.sriov import card as cards
from isoscope.backends.sriov import handing, plan, settings
from isoscope.backends.sriov.choice import choose_card, choose_function, count, is_meant
from isoscope.backends.sriov.journal import Journal, journals
from isoscope.backends.sriov.lease import VfLease, VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Pci
from isoscope.backends.sriov.safety import require_vfio
from isoscope.core.errors import HostError, InputError, NotFound
from isoscope.core.registry import Record, Registry

_log = logging.getLogger(__name__)


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
        """What a lease would do, a sentence each; nothing is done. Raises what `lease` raises for want of a card."""
        journal, links = self._ours(terms), self._links()
        if journal is not None and self._is_usable(journal, terms):
            card = self._pci.function(journal.card)
            told = plan.sentences(self._pci, card, links, journal.leases, terms, to_vm=to_vm)
            return [plan.whole(self._pci, card), *told]
        if journal is not None:
            raise HostError(
                f"{journal.card} is not as it was before an earlier command, which the next one puts right first",
                hint="isoscope gc puts it right now",
            )
        card = choose_card(self._pci, links, terms, to_vm=to_vm)
        return [
            plan.whole(self._pci, card),
            *plan.taking(self._pci, card, links, terms),
            *plan.sentences(self._pci, card, links, {}, terms, to_vm=to_vm),
        ]

    def lease(self, record: Record, terms: VfTerms, *, to_vm: bool) -> VfLease:
        """Reserve a virtual function for the record's instance, made first where there is none.

        Raises InputError or HostError before anything is touched; what fails later is undone.
        """
        with host_lock(), locked(self._directory):
            journal = self._ours(terms)
            if journal is not None and not self._is_usable(journal, terms):
                cards.restore(self._pci, journal, self._links())
                journal = None
            journal = journal or self._take(terms, to_vm=to_vm)
            try:
                lease = self._reserve(journal, record, terms, to_vm=to_vm)
                record.claim(network=lease.as_dict())
                handing.set_terms(lease, terms)
            except BaseException:
                self._undo(journal, record.id)
                raise
        return lease

    def connect(self, lease: VfLease, netns: int) -> None:
        """Move the function's network device into a namespace, as its `eth0`. Raises HostError."""
        with host_lock():  # binding it changes a setting of the card, for a moment
            handing.connect(self._pci, lease, netns)

    def release(self, record: Record) -> None:
        """Give back what the record's instance has. Idempotent, also in another process than the one that leased.

        Raises HostError when somebody holds on to it; a later `sweep` gives it back.
        """
        if not self._directory.exists():
            return
        with host_lock(), locked(self._directory):
            for journal in self._journals():
                if record.id in journal.leases.values():
                    handing.give_back(self._pci, journal, record.id)

    def sweep(self, live: Iterable[Record]) -> list[str]:
        """Give back what dead instances have, and restore the cards that nobody uses any more.

        Returns a line for each; what cannot be restored yet is said, too.
        """
        if not self._directory.exists():
            return []
        lines = []
        with host_lock(), locked(self._directory):
            held = {record.id for record in live if record.exit is None}
            held |= {record.id for record in Registry(self.home) if record.exit is None and record.owner.alive()}
            for journal in journals(self._directory):
                try:
                    lines += self._sweep(journal, held)
                except HostError as error:
                    lines.append(f"kept the card {journal.card} as it is: {error.message}")
        return lines

    def close(self) -> None:
        """Restore the cards of which nothing is handed out. Idempotent; what cannot be is left to `sweep`."""
        if not self._directory.exists():
            return
        with host_lock(), locked(self._directory):
            for journal in self._journals():
                try:
                    if not journal.leases:
                        cards.restore(self._pci, journal, self._links())
                except HostError as error:
                    _log.warning("the card %s stays as it is: %s (%s)", journal.card, error.message, error.hint)

    # Below, all is done under the locks.

    def _journals(self) -> Iterator[Journal]:
        """The cards that have been touched since the host was booted."""
        return (journal for journal in journals(self._directory) if not journal.outlived)

    def _ours(self, terms: VfTerms) -> Journal | None:
        """A card that this state directory has taken already, is meant, and has a function left.

        Raises InputError when a named one has none left.
        """
        for journal in self._journals():
            try:
                card = self._pci.function(journal.card)
            except NotFound:  # `sweep` forgets it
                continue
            if not is_meant(card, terms):
                continue
            if journal.leases and terms.functions not in (0, len(card.vfs)):
                raise InputError(
                    f"{card.address} has {len(card.vfs)} virtual functions, which instances use, not {terms.functions}",
                    hint=f"leave out vfs={terms.functions}, or wait until those have ended",
                )
            if terms.card or len(journal.leases) < len(card.vfs) or not journal.leases:
                return journal
        return None

    def _is_usable(self, journal: Journal, terms: VfTerms) -> bool:
        """Whether a card can be handed out as it is; else it is restored, and taken anew."""
        card = self._pci.function(journal.card)
        changed = not card.vfs or journal.interface not in card.interfaces  # by others, meanwhile
        fits = not journal.made or len(card.vfs) == journal.made == (terms.functions or journal.made)
        return bool(journal.leases) or (journal.ready and fits and not changed)

    def _take(self, terms: VfTerms, *, to_vm: bool) -> Journal:
        """A card that is ready to hand out functions. Raises InputError or HostError."""
        links = self._links()
        card = choose_card(self._pci, links, terms, to_vm=to_vm)
        if to_vm:
            require_vfio(self._pci)
        interface = card.interfaces[0]
        journal = Journal(
            self._directory / f"{card.address}.json",
            card.address,
            interface,
            up=interface in links.up,
            autoprobe=card.autoprobe,
            made=0 if card.vfs else count(card, terms),
            subnet=str(subnet.choose(sum(card.address.encode()), subnet.routed())),
        )
        cards.take(self._pci, journal)
        return journal

    def _reserve(self, journal: Journal, record: Record, terms: VfTerms, *, to_vm: bool) -> VfLease:
        card = self._pci.function(journal.card)
        if to_vm:
            require_vfio(self._pci)
        links = self._links()
        number, vf = choose_function(self._pci, card, links, journal.leases, to_vm=to_vm)
        if journal.interface not in links.up:  # somebody has brought it down since, or reset the card
            settings.set_up(journal.interface, up=True)
        journal.functions[vf.address] = handing.before(vf, journal.interface, number)
        journal.leases[vf.address] = record.id
        journal.save()
        network = IPv4Network(journal.subnet)
        return VfLease(
            card=card.address,
            interface=journal.interface,
            function=vf.address,
            number=number,
            mac=device.mac(network[2 + number]),
            vlan=terms.vlan,
            address=str(network[2 + number]),
            prefix_length=network.prefixlen,
            gateway=None,
            mtu=int((Path("/sys/class/net") / journal.interface / "mtu").read_text()),
        )

    def _undo(self, journal: Journal, instance: str) -> None:
        """Undo a lease that failed; the first error tells more than one that this meets."""
        with suppress(HostError):
            handing.give_back(self._pci, journal, instance)
            if not journal.leases:
                cards.restore(self._pci, journal, self._links())

    def _sweep(self, journal: Journal, held: set[str]) -> list[str]:
        if journal.outlived:
            journal.forget()
            return [f"forgot what the card {journal.card} was like before this boot"]
        lines = []
        for instance in set(journal.leases.values()) - held:
            handing.give_back(self._pci, journal, instance)
            lines.append(f"gave back the virtual function of instance {instance}")
        if not journal.leases:
            cards.restore(self._pci, journal, self._links())
            lines.append(f"restored the card {journal.card}")
        return lines
