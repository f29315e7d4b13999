"""What the host does with its network devices: what must be known of a card before it is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isoscope.core.errors import HostError

_RT_TABLE_MAIN = 254  # rtnetlink(7)


@dataclass(frozen=True)
class Links:
    """The devices of this network namespace, by name."""

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: with their prefix lengths
    default_routes: frozenset[str] = frozenset()  #: devices that a default route leads through
    up: frozenset[str] = frozenset()  #: devices that are administratively up
    masters: Mapping[str, str] = field(default_factory=dict)  #: device to the bridge, bond or team that it is part of

    @classmethod
    def read(cls) -> Links:
        """As they are now. Raises HostError."""
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError

        try:
            with IPRoute() as netlink:
                links = {link["index"]: link for link in netlink.get_links()}
                names = {index: link.get_attr("IFLA_IFNAME") for index, link in links.items()}
                addresses: dict[str, list[str]] = {}
                for address in netlink.get_addr():
                    text = f"{address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}"
                    addresses.setdefault(names.get(address["index"], ""), []).append(text)
                routes = {
                    names.get(route.get_attr("RTA_OIF"), "")
                    for family in (2, 10)  # AF_INET, AF_INET6
                    for route in netlink.get_routes(family=family, table=_RT_TABLE_MAIN)
                    if route["dst_len"] == 0
                }
        except (OSError, NetlinkError) as error:
            raise HostError(f"cannot read the host's network devices: {error}", hint="isoscope doctor") from error
        return cls(
            addresses={name: tuple(found) for name, found in addresses.items()},
            default_routes=frozenset(routes - {""}),
            up=frozenset(names[index] for index, link in links.items() if link["flags"] & 1),
            masters={
                names[index]: names.get(link.get_attr("IFLA_MASTER"), "")
                for index, link in links.items()
                if link.get_attr("IFLA_MASTER")
            },
        )
