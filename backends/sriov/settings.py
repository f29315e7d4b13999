"""A virtual function's terms on its card, set through the physical function by rtnetlink(7), IFLA_VFINFO_LIST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isoscope.backends.network.apart import apart
from isoscope.core.errors import HostError

_RTEXT_FILTER_VF = 1  # linux/rtnetlink.h: without it, the kernel leaves virtual functions out
_UNKNOWN = 0xFFFFFFFF  # what the kernel says of a setting that the card's driver does not have
_802_1Q = 0x8100  # linux/if_ether.h


def tagged(vlan: int) -> dict[str, int]:
    """The setting `vlan` for a VLAN; 0 for none."""
    return {"vlan": vlan, "qos": 0}


@apart
def read(interface: str, number: int) -> dict[str, Any]:
    """The terms of one virtual function: `mac`, `vlan` (see `tagged`), `spoofchk` and `trust`, those that the card has.

    Raises HostError, also for a service VLAN, which could not be set again.
    """
    with _netlink(f"read the virtual functions of {interface}") as netlink:
        return _read(netlink, interface, number)


@apart
def write(interface: str, number: int, wanted: Mapping[str, Any]) -> None:
    """Set those terms of one virtual function that are different, each on its own, so that the error says which.

    Raises HostError.
    """
    with _netlink(f"set the terms of virtual function {number} of {interface}") as netlink:
        now = _read(netlink, interface, number)
        for name, value in wanted.items():
            if now.get(name) == value:
                continue
            setting = dict(value) if isinstance(value, Mapping) else value  # which pyroute2 adds to
            with _told(f"set {name} {value} of virtual function {number} of {interface}"):
                netlink.link("set", index=_index(netlink, interface), vf={"vf": number, name: setting})


@apart
def set_up(interface: str, *, up: bool) -> None:
    """Bring a network device up or down. Raises HostError."""
    with _netlink(f"bring {interface} {'up' if up else 'down'}") as netlink:
        netlink.link("set", index=_index(netlink, interface), state="up" if up else "down")


@apart
def read_device(interface: str) -> dict[str, Any]:
    """What of a network device goes with its driver: its name, and its MTU in bytes. Raises HostError."""
    with _netlink(f"read {interface}") as netlink:
        [link] = netlink.link("get", index=_index(netlink, interface))
    return {"ifname": interface, "mtu": link.get_attr("IFLA_MTU")}


@apart
def write_device(index: int, wanted: Mapping[str, Any]) -> None:
    """The inverse of `read_device`, for a device that its driver has just made. Raises HostError."""
    with _netlink(f"make {wanted['ifname']} what it was") as netlink:
        netlink.link("set", index=index, **wanted)


@apart
def remove_address(interface: str, address: str, prefix_length: int) -> None:
    """Remove an address from a network device; one that it does not have is no error. Raises HostError."""
    with _netlink(f"remove {address} from {interface}") as netlink:
        index = _index(netlink, interface)
        if any(found.get_attr("IFA_LOCAL") == address for found in netlink.get_addr(index=index)):
            netlink.addr("del", index=index, address=address, prefixlen=prefix_length)


def _read(netlink: Any, interface: str, number: int) -> dict[str, Any]:
    [link] = netlink.link("get", index=_index(netlink, interface), ext_mask=_RTEXT_FILTER_VF)
    for info in _all(link.get_attr("IFLA_VFINFO_LIST"), "IFLA_VF_INFO"):
        if info.get_attr("IFLA_VF_MAC")["vf"] == number:
            return _terms(info)
    raise HostError(f"{interface} has no virtual function {number}", hint="ip link show")


def _terms(info: Any) -> dict[str, Any]:
    terms: dict[str, Any] = {"mac": info.get_attr("IFLA_VF_MAC")["mac"]}
    for tag in _all(info.get_attr("IFLA_VF_VLAN_LIST"), "IFLA_VF_VLAN_INFO")[:1]:
        if tag["vlan"] and tag["proto"] != _802_1Q:
            # The kernel wants it with two bytes of padding, struct ifla_vf_vlan_info; pyroute2 0.9 sends none.
            raise HostError("a virtual function has a VLAN of IEEE 802.1ad", hint="take it off it: ip link set ... vf")
        terms["vlan"] = {name: tag[name] for name in ("vlan", "qos")}
    for name in ("spoofchk", "trust"):
        found = info.get_attr(f"IFLA_VF_{name.upper()}")
        if found is not None and found[name] != _UNKNOWN:
            terms[name] = found[name]
    return terms


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

    with _told(what), IPRoute() as netlink:
        yield netlink


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what could not be done."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except (OSError, NetlinkError) as error:
        raise HostError(f"cannot {what}: {error}", hint="dmesg may say why") from error
