"""What one instance gets from the bridge network: an address, a route, a name for its device on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

from isoscope.core.instance import Connection
from isoscope.core.registry import Record


class Addressed(Protocol):
    """What an instance must know of its network, whatever that is made of."""

    @property
    def mac(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def prefix_length(self) -> int: ...
    @property
    def gateway(self) -> str | None: ...
    @property
    def mtu(self) -> int: ...

    def resolv_conf(self) -> str: ...


@dataclass(frozen=True)
class Lease:
    """The terms on which one instance is connected. Plain data: it can be stored in a record and sent to a guest."""

    bridge: str  #: the bridge that the instance's device is a port of
    interface: str  #: name of the device on the host: a veth end or a VM's tap, at most 15 bytes (IFNAMSIZ)
    mac: str  #: hardware address of the instance's own device, locally administered, unique on the bridge
    address: str  #: IPv4 address of the instance, dotted
    prefix_length: int
    gateway: str  #: IPv4 address of the bridge: the instance's default route
    mtu: int  #: bytes
    dns_servers: tuple[str, ...]  #: IPv4 addresses that the instance can reach; empty when the host has none
    dns_search: tuple[str, ...]

    def resolv_conf(self) -> str:
        """What the instance's /etc/resolv.conf should hold, as in resolv.conf(5)."""
        search = [f"search {' '.join(self.dns_search)}"] if self.dns_search else []
        return "".join(f"{line}\n" for line in [*search, *(f"nameserver {server}" for server in self.dns_servers)])

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a registry record."""
        return {**asdict(self), "dns_servers": list(self.dns_servers), "dns_search": list(self.dns_search)}

    @classmethod
    def connection(cls, record: Record) -> Connection | None:
        """How the instance that holds a lease is reached; None for one that holds none."""
        held = record.resources.get("network")
        return None if held is None else Connection(held["address"], held["interface"], held["mac"])

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        fields = dict(data)
        fields["dns_servers"], fields["dns_search"] = tuple(fields["dns_servers"]), tuple(fields["dns_search"])
        return cls(**fields)
