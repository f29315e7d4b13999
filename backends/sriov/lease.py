"""What one instance gets of a card: a virtual function and the terms on which it has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class VfLease:
    """The terms on which one instance has a virtual function. Plain data: stored in a record and sent to a guest."""

    card: str  #: PCI address of the physical function
    interface: str  #: its network device on the host
    function: str  #: PCI address of the virtual function
    number: int  #: of the virtual function on its card
    mac: str  #: hardware address, locally administered, set through the physical function
    vlan: int | None
    address: str  #: IPv4 address of the instance, dotted
    prefix_length: int
    gateway: str | None  #: none: what is beyond the card is whoever's the card's cable leads to
    mtu: int  #: bytes

    def resolv_conf(self) -> str:
        """Nobody is known there who could resolve names."""
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a registry record."""
        return asdict(self)


@dataclass(frozen=True)
class VfTerms:
    """What a variant asks of a card."""

    card: str = ""  #: network device or PCI address of a physical function; "" for the first that nobody uses
    functions: int = 0  #: how many are made where there are none; 0 for as many as the card has, at most 8
    vlan: int | None = None
    trust: bool = False  #: the instance may set its own hardware address and see packets for others
    spoof_check: bool = True  #: the card drops what the instance sends under another hardware address
    force: bool = False  #: take a card that the host itself uses, too
