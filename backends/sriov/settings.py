"""A virtual function's terms on its card, set through the physical function by rtnetlink(7), IFLA_VFINFO_LIST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isoscope.core.errors import HostError

_RTEXT_FILTER_VF = 1  # linux/rtnetlink.h: without it, the kernel leaves virtual functions out

#: Attribute of the kernel's answer to the name of the field in it, and of what is set.
_FIELDS = {
    "IFLA_VF_MAC": "mac",
    "IFLA_VF_VLAN": "vlan",
    "IFLA_VF_SPOOFCHK": "spoofchk",
    "IFLA_VF_TRUST": "trust",
}


def read(interface: str, number: int) -> dict[str, Any]:
    """The terms of one virtual function: `mac`, `vlan`, `spoofchk` and `trust`, those that the card has."""
    with _netlink(f"read the virtual functions of {interface}") as netlink:
        [link] = netlink.link("get", index=_index(netlink, interface), ext_mask=_RTEXT_FILTER_VF)
        for info in _all(link.get_attr("IFLA_VFINFO_LIST"), "IFLA_VF_INFO"):
            found = {name: info.get_attr(attribute) for attribute, name in _FIELDS.items()}
            terms = {name: value[name] for name, value in found.items() if value is not None}
            if info.get_attr("IFLA_VF_MAC")["vf"] == number:
                return terms
    raise HostError(f"{interface} has no virtual function {number}", hint="ip link show")


def write(interface: str, number: int, terms: dict[str, Any]) -> None:
    """Set terms of one virtual function, each on its own: cards refuse some, and the error says which."""
    for name, value in terms.items():
        with _netlink(f"set {name} {value} of virtual function {number} of {interface}") as netlink:
            netlink.link("set", index=_index(netlink, interface), vf={"vf": number, name: value})


def set_up(interface: str, *, up: bool) -> None:
    """Bring a network device up or down."""
    with _netlink(f"bring {interface} {'up' if up else 'down'}") as netlink:
        netlink.link("set", index=_index(netlink, interface), state="up" if up else "down")


def remove_address(interface: str, address: str, prefix_length: int) -> None:
    """Remove an address from a network device; one that it does not have is no error."""
    with _netlink(f"remove {address} from {interface}") as netlink:
        index = _index(netlink, interface)
        if any(found.get_attr("IFA_LOCAL") == address for found in netlink.get_addr(index=index)):
            netlink.addr("del", index=index, address=address, prefixlen=prefix_length)


def _all(attribute: Any, name: str) -> list[Any]:
    return attribute.get_attrs(name) if attribute is not None else []


def _index(netlink: Any, interface: str) -> int:
    found = netlink.link_lookup(ifname=interface)
    if not found:
        raise HostError(f"there is no network device {interface!r}", hint="ip link")
    return int(found[0])


@contextmanager
def _netlink(what: str) -> Iterator[Any]:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as netlink:
            yield netlink
    except (OSError, NetlinkError) as error:
        raise HostError(f"cannot {what}: {error}", hint="dmesg may say why") from error
