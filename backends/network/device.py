"""The devices: the bridge, and a pair of veth(4) between it and a network namespace."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from time import monotonic

from isoscope.backends.network import netlink
from isoscope.backends.network.apart import apart
from isoscope.backends.network.lease import Addressed, Lease
from isoscope.backends.network.names import Names
from isoscope.backends.network.netlink import refused
from isoscope.core.errors import HostError, Timeout
from isoscope.core.patience import patience

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 0x1  # netdevice(7)
_IFREQ = struct.Struct("16sH22x")
_IFF_LOWER_UP = 0x10000
_IF_OPER_UNKNOWN, _IF_OPER_UP = 0, 6  # linux/if.h
_PATIENCE = 10  #: seconds
_LOOPBACK = 1  # index of `lo` in every network namespace


def mac(address: IPv4Address) -> str:
    """A hardware address that no other instance on the bridge has: 02 marks it as locally administered (IEEE 802)."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x69, *address.packed))


def is_up(name: str) -> bool:
    """Whether there is a device of that name, and it is up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _IFREQ.pack(name.encode(), 0))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            raise
    return bool(_IFREQ.unpack(answer)[1] & _IFF_UP)


def is_ours(names: Names) -> bool:
    """Whether our bridge is there, complete or half made.

    Raises HostError when another state directory's bridge, or anybody's, has its name.
    """
    found = [device for device in _devices() if device.name == names.bridge]
    if found and not found[0].is_bridge_of(names):
        raise HostError(
            f"the device {names.bridge} is not this state directory's: {found[0].alias or 'it has no alias'}",
            hint="remove it if it is nobody's, or set ISOSCOPE_HOME to a directory of another name",
        )
    return bool(found)


def build_bridge(names: Names, gateway: IPv4Address, prefix_length: int, mtu: int) -> None:
    """Make the bridge and give it its address, unless it stands. It is brought up last: up means complete.

    Raises HostError.
    """
    if is_up(names.bridge):
        return
    netlink.delete_link(names.bridge)  # one that was left half made
    attributes = [
        ("IFLA_IFNAME", names.bridge),
        # Given by us, or it would change with every port that comes and goes, and peers would talk to a stranger.
        ("IFLA_ADDRESS", mac(gateway)),
        ("IFLA_MTU", mtu),
        ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "bridge")]}),
    ]
    try:
        netlink.request(netlink.link(netlink.RTM_NEWLINK, netlink.CREATE, attributes=attributes))
        _without_ipv6(names.bridge)
        index = socket.if_nametoindex(names.bridge)
        netlink.request(
            # Not when it is made: the kernel passes over an alias there.
            netlink.link(netlink.RTM_NEWLINK, index=index, attributes=[("IFLA_IFALIAS", names.alias)]),
            netlink.address(index, prefix_length, local(gateway, prefix_length)),
            netlink.link(netlink.RTM_NEWLINK, index=index, up=True, attributes=[]),
        )
    except OSError as error:
        raise refused(f"make the bridge {names.bridge}", error) from error


def connect(lease: Lease, netns: int) -> None:
    """Make the pair of devices, one end a port of the bridge, the other `eth0` in the namespace, ready to be used.

    Two round trips, one here and one in the namespace, and then the kernel's word that packets pass. Raises HostError,
    and Timeout when that does not come.
    """
    mtu = ("IFLA_MTU", lease.mtu)
    inner = [("IFLA_IFNAME", "eth0"), ("IFLA_ADDRESS", lease.mac), mtu, ("IFLA_NET_NS_FD", netns)]
    peer = {"attrs": [("VETH_INFO_PEER", {"attrs": inner})]}
    pair = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", peer)]}
    try:
        bridge = socket.if_nametoindex(lease.bridge)
        outer = [("IFLA_IFNAME", lease.interface), ("IFLA_MASTER", bridge), mtu, ("IFLA_LINKINFO", pair)]
        netlink.request(netlink.link(netlink.RTM_NEWLINK, netlink.CREATE, up=True, attributes=outer))
        configure(lease, netns)
        # Subscribed to only now: what was told of the bridge before it had this port says nothing.
        with closing(netlink.open_socket(groups=netlink.RTMGRP_LINK)) as changes:
            _wait_until_up(changes, socket.if_nametoindex(lease.interface), bridge)
    except OSError as error:
        raise refused(f"connect {lease.interface} to {lease.bridge}", error) from error


def _wait_until_up(changes: socket.socket, port: int, bridge: int) -> None:
    """Wait until a new port passes packets. Raises Timeout.

    The kernel takes note of a carrier on a work queue of its own; until then a port drops what comes, and an instance
    that asks for its neighbour at once would be answered a second later, when it asks again.
    """
    pending, deadline = {port, bridge}, monotonic() + patience(_PATIENCE)
    asked = False
    while pending:
        if not asked:
            for index in pending:
                changes.send(netlink.link(netlink.RTM_GETLINK, index=index, attributes=[]))
        changes.settimeout(max(0.001, deadline - monotonic()))
        try:
            datagram, asked = changes.recv(1 << 16), True
        except TimeoutError:
            raise Timeout(
                f"a new port did not come up in {patience(_PATIENCE):g} s", hint="is the host very busy?"
            ) from None
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # which says that changes were missed, netlink(7)
                raise
            datagram, asked = b"", False
        for index, flags, state in netlink.operational_states(datagram):
            # A bridge whose carrier has never changed has no state yet.
            unknown = index == bridge and state == _IF_OPER_UNKNOWN and flags & _IFF_LOWER_UP
            if state == _IF_OPER_UP or unknown:
                pending.discard(index)


def remove_port(names: Names, name: str) -> None:
    """Remove an instance's device, unless it is a port of another's bridge. Idempotent.

    Names of devices hold no more than 16 bits of the hash of a state directory: two of them may give the same ones.
    """
    master = netlink.master_of(name)
    if master in (0, _index(names.bridge)):
        netlink.delete_link(name)


def _index(name: str) -> int:
    """Index of a device; 0 when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def remove_all(names: Names) -> list[str]:
    """Remove every device of a state directory, the bridge last. Returns their names.

    Another directory's devices may begin with the same letters; those have another bridge as their master.
    """
    devices = _devices()
    bridges = [device for device in devices if device.name == names.bridge and device.is_bridge_of(names)]
    masters = {None, *(bridge.index for bridge in bridges)}
    ports = [device for device in devices if names.is_port(device.name) and device.master in masters]
    return [device.name for device in ports + bridges if netlink.delete_link(device.name)]


@dataclass(frozen=True)
class _Device:
    index: int
    name: str
    alias: str | None
    master: int | None

    def is_bridge_of(self, names: Names) -> bool:
        """A bridge gets its alias before it is brought up: one that has none and is down is half made."""
        return self.alias == names.alias or not (self.alias or is_up(self.name))


@apart
def _devices() -> list[_Device]:
    from pyroute2 import IPRoute

    names = ("IFLA_IFNAME", "IFLA_IFALIAS", "IFLA_MASTER")
    with IPRoute() as routing:
        return [_Device(device["index"], *map(device.get_attr, names)) for device in routing.get_links()]


def configure(lease: Addressed, netns: int) -> None:
    """Give the device `eth0` in the namespace its address and default route, and bring it and `lo` up.

    Raises OSError.
    """
    _inside(netns, lambda: _configure(lease))


def _configure(lease: Addressed) -> None:
    _without_ipv6("eth0")
    index = socket.if_nametoindex("eth0")
    netlink.request(
        netlink.link(netlink.RTM_NEWLINK, index=_LOOPBACK, up=True, attributes=[]),
        netlink.link(netlink.RTM_NEWLINK, index=index, up=True, attributes=[]),
        netlink.address(index, lease.prefix_length, local(IPv4Address(lease.address), lease.prefix_length)),
        *([netlink.default_route(lease.gateway)] if lease.gateway else []),
    )


def local(address: IPv4Address, prefix_length: int) -> netlink.Attributes:
    """The attributes of an address that has a broadcast address."""
    broadcast = IPv4Network((address, prefix_length), strict=False).broadcast_address
    return [("IFA_LOCAL", str(address)), ("IFA_ADDRESS", str(address)), ("IFA_BROADCAST", str(broadcast))]


def _without_ipv6(name: str) -> None:
    """Keep IPv6 from an interface before it is brought up: no address is translated for it, so none should be tried."""
    with suppress(FileNotFoundError):  # a kernel without IPv6
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")


def _inside(netns: int, work: Callable[[], None]) -> None:
    """Do something in another network namespace, on a thread that ends with it.

    setns(2) moves the calling thread alone: one of our own cannot be left in the wrong place by an error.
    """

    def enter_and_work() -> None:
        if ctypes.CDLL(None, use_errno=True).setns(netns, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        work()

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(enter_and_work).result()
