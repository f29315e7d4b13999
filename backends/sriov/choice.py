"""Which card, and which of its functions."""

from __future__ import annotations

from collections.abc import Mapping

from isoscope.backends.sriov.lease import VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import NETWORK, Function, Pci
from isoscope.backends.sriov.safety import check_card, check_group, check_iommu, why_taken
from isoscope.core.errors import HostError, InputError

#: How many virtual functions are made of a card that could have hundreds.
_MOST = 8

_DEAD = "isoscope ps tells who has them, isoscope gc gives back what dead instances had"


def count(card: Function, terms: VfTerms) -> int:
    """How many virtual functions to make."""
    return terms.functions or min(card.total_vfs, _MOST)


def is_meant(card: Function, terms: VfTerms) -> bool:
    """Whether the terms name the card, or none."""
    return terms.card in ("", card.address, *card.interfaces)


def choose_card(pci: Pci, links: Links, terms: VfTerms, *, to_vm: bool) -> Function:
    """The card that is named, or the first of the host's that may be touched. Raises InputError or HostError."""
    cards = [card for card in pci.physical_functions() if card.kind == NETWORK]
    if not cards:
        raise HostError("no network card here has virtual functions", hint="isoscope doctor; isoscope rig has one")
    cards = [card for card in cards if is_meant(card, terms)]
    if not cards:
        raise InputError(f"{terms.card!r} is no card with virtual functions", hint="isoscope doctor lists them")
    refusals = []
    for card in cards:
        try:
            check_card(card, links, wanted=terms.functions, force=terms.force)
            if to_vm:
                check_iommu(card)
            if card.vfs:
                choose_function(pci, card, links, {}, to_vm=to_vm)
        except (InputError, HostError) as error:
            refusals.append(error)
        else:
            return card
    raise refusals[0]


def choose_function(
    pci: Pci, card: Function, links: Links, leases: Mapping[str, str], *, to_vm: bool
) -> tuple[int, Function]:
    """The first of a card's functions that nobody has, with its number. Raises InputError or HostError."""
    refusals: list[InputError | HostError] = []
    for number, vf in pci.virtual_functions(card):
        try:
            _check_free(vf, links, leases)
            check_group(pci, vf, to_vm=to_vm, leased=leases)
        except (InputError, HostError) as error:
            refusals.append(error)
        else:
            return number, vf
    # What is wrong with the host says more than who has the others.
    why = min(refusals, key=lambda one: isinstance(one, InputError), default=InputError("it has none", hint=_DEAD))
    raise type(why)(f"no virtual function of {card.address} is free: {why.message}", hint=why.hint)


def _check_free(vf: Function, links: Links, leases: Mapping[str, str]) -> None:
    if vf.address in leases:
        raise InputError(f"{vf.address} is instance {leases[vf.address]}'s", hint=_DEAD)
    if why := why_taken(vf, links):
        raise InputError(why, hint=_DEAD)
