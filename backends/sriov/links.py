"""What the host does with its network devices: what must be known of a card before it is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from typing import Any

from isoscope.backends.network.apart import apart
from isoscope.core.errors import HostError

_RT_TABLE_LOCAL = 255  # rtnetlink(7): the host's own addresses, which are told as such
_IFF_UP = 1

#: What the kernel itself gives to every device that is up, RFC 4291: link-local and multicast.
_EVERYWHERE = tuple(map(ip_network, ("fe80::/64", "ff00::/8")))


@dataclass(frozen=True)
class Links:
    """The devices of this network namespace, by name."""

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: with their prefix lengths
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: to where, `default` among them
    up: frozenset[str] = frozenset()  #: devices that are administratively up
    masters: Mapping[str, str] = field(default_factory=dict)  #: device to the bridge, bond or team that it is part of
    uppers: Mapping[str, str] = field(default_factory=dict)  #: device to a VLAN or macvlan device on top of it

    @classmethod
    @apart
    def read(cls) -> Links:
        """As they are now. Raises HostError."""
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError

        try:
            with IPRoute() as netlink:
                links = list(netlink.get_links())
                addresses = list(netlink.get_addr())
                # Of every table: a host may route by policy, or have a VRF for each card.
                routes = [route for family in (2, 10) for route in netlink.get_routes(family=family)]
        except (OSError, NetlinkError) as error:
            raise HostError(f"cannot read the host's network devices: {error}", hint="isoscope doctor") from error
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
        return cls(
            addresses=_grouped(
                (
                    names.get(one["index"], ""),
                    f"{one.get_attr('IFA_LOCAL') or one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}",
                )
                for one in addresses
            ),
            routes=_grouped((names.get(index, ""), to) for route in routes for index, to in _ways(route)),
            up=frozenset(names[link["index"]] for link in links if link["flags"] & _IFF_UP),
            masters=dict(_related(links, names, "IFLA_MASTER")),
            uppers={lower: upper for upper, lower in _related(links, names, "IFLA_LINK")},
        )

    def why_used(self, name: str) -> str:
        """What the host uses a device for, as in `it has 192.0.2.1/24`; "" for nothing."""
        routes = [text for text in self.routes.get(name, ()) if text not in map(str, _EVERYWHERE)]
        if "default" in routes:
            return "it carries this host's default route"
        if addresses := [text for text in self.addresses.get(name, ()) if ip_interface(text) not in _EVERYWHERE[0]]:
            return f"it has {addresses[0]}"
        if routes:
            return f"the route to {routes[0]} leads through it"
        if name in self.masters:
            return f"it is part of {self.masters[name]}"
        if name in self.uppers:
            return f"{self.uppers[name]} is on top of it"
        return ""


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found


def _ways(route: Any) -> Iterator[tuple[int, str]]:
    """Index of each device that a route leads through, and where to."""
    if (route.get_attr("RTA_TABLE") or route["table"]) == _RT_TABLE_LOCAL:
        return
    to = f"{route.get_attr('RTA_DST')}/{route['dst_len']}" if route["dst_len"] else "default"
    if (index := route.get_attr("RTA_OIF")) is not None:
        yield index, to
    for hop in route.get_attr("RTA_MULTIPATH") or ():
        yield hop["oif"], to


def _related(links: list[Any], names: Mapping[int, str], attribute: str) -> Iterator[tuple[str, str]]:
    """Devices, and the ones that an attribute of theirs names, in this network namespace."""
    for link in links:
        index = link.get_attr(attribute)
        if index and link.get_attr("IFLA_LINK_NETNSID") is None:
            yield names[link["index"]], names.get(index, "")
