"""Which addresses a bridge takes: a subnet that nothing on this host routes to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Network

from isoscope.backends.network.apart import apart
from isoscope.core.errors import HostError

#: 4093 instances: enough to measure density with, and few enough to find a free place.
PREFIX_LENGTH = 20

#: Where to look, in order: private addresses (RFC 1918) off the beaten tracks of Docker, libvirt, Podman and
#: Kubernetes, the other private ones, and last the range that RFC 2544 sets aside for benchmarks.
_POOLS = tuple(map(IPv4Network, ("10.64.0.0/12", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")))

#: Routes wider than this are default routes in disguise (0.0.0.0/1 and 128.0.0.0/1 of a VPN), not places.
_SHORTEST_PREFIX = 8


def choose(seed: int, taken: list[IPv4Network]) -> IPv4Network:
    """The first free subnet; each pool is searched from a place that depends on `seed`. Raises HostError."""
    for subnet in _candidates(seed):
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise HostError(
        "every private IPv4 subnet is already routed somewhere by this host",
        hint="look at `ip route show table all`; use --network none or host",
    )


def _candidates(seed: int) -> Iterator[IPv4Network]:
    for pool in _POOLS:
        subnets = list(pool.subnets(new_prefix=PREFIX_LENGTH))
        start = seed % len(subnets)
        yield from subnets[start:] + subnets[:start]


@apart
def routed() -> list[IPv4Network]:
    """Every place that this host has an IPv4 route to, in any table, its own addresses included."""
    from pyroute2 import IPRoute

    with IPRoute() as netlink:
        routes = [(route.get_attr("RTA_DST"), route["dst_len"]) for route in netlink.get_routes(family=socket.AF_INET)]
    return [IPv4Network((place, length)) for place, length in routes if place and length >= _SHORTEST_PREFIX]


@apart
def uplink_mtu() -> int:
    """The MTU in bytes of the device that the default route leaves by, so that nothing has to be fragmented there."""
    from pyroute2 import IPRoute

    with IPRoute() as netlink:
        for route in netlink.get_default_routes(family=socket.AF_INET):
            device = route.get_attr("RTA_OIF")
            if device is not None:
                return int(netlink.get_links(device)[0].get_attr("IFLA_MTU"))
    return 1500
