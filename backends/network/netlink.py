"""Netlink requests in batches: the messages are pyroute2's, the round trip is ours.

pyroute2's own sockets make one round trip for each request, on an event loop of their own. A batch goes out in one
sendmsg(2) and is carried out in order (netlink(7)), and a socket made in a network namespace stays there whichever
thread uses it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from isoscope.core.errors import HostError

NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400  # linux/netlink.h
CREATE = NLM_F_CREATE | NLM_F_EXCL
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 18, 20, 24  # linux/rtnetlink.h
RTMGRP_LINK = 1  # multicast group of changes to devices
_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_ERRNO = struct.Struct("=i")
_IFINFOMSG = struct.Struct("=BxHiII")  # rtnetlink(7): family, type, index, flags, mask of changes
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_IFLA_MASTER, _IFLA_OPERSTATE = 10, 16  # linux/if_link.h

#: Nested attributes, as pyroute2 takes them.
Attributes = list[tuple[str, Any]]


class NetlinkFailed(OSError):
    """The kernel refused a request; `errno` says why."""


def link(number: int, flags: int = 0, *, index: int = 0, up: bool = False, attributes: Attributes) -> bytes:
    """A request about a device, rtnetlink(7) `struct ifinfomsg`. A device without index is found by IFLA_IFNAME."""
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

    return encode(ifinfmsg, number, flags, {"index": index, "flags": up, "change": up}, attributes)


def address(index: int, prefix_length: int, attributes: Attributes) -> bytes:
    """A request to add an IPv4 address to a device, rtnetlink(7) `struct ifaddrmsg`."""
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

    fields = {"family": socket.AF_INET, "index": index, "prefixlen": prefix_length}
    return encode(ifaddrmsg, RTM_NEWADDR, CREATE, fields, attributes)


def default_route(gateway: str) -> bytes:
    """A request for an IPv4 default route; the kernel finds the device by the gateway. rtnetlink(7) `struct rtmsg`."""
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    main_table, static, unicast = 254, 4, 1
    fields = {"family": socket.AF_INET, "table": main_table, "proto": static, "type": unicast}
    return encode(rtmsg, RTM_NEWROUTE, CREATE, fields, [("RTA_GATEWAY", gateway)])


def encode(
    message: Callable[[], Any], number: int, flags: int, fields: Mapping[str, Any], attributes: Attributes
) -> bytes:
    """A request of one of pyroute2's message classes, to be acknowledged."""
    request = message()
    request["header"]["type"] = number
    request["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    for name, value in fields.items():
        request[name] = value
    request["attrs"] = attributes
    request.encode()
    return bytes(request.data)


def open_socket(protocol: int = socket.NETLINK_ROUTE, groups: int = 0) -> socket.socket:
    """A netlink socket in the calling thread's network namespace, subscribed to multicast groups."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    made.bind((0, groups))
    return made


def transact(requests: Sequence[bytes], through: socket.socket) -> None:
    """Carry out requests in order. Raises NetlinkFailed for the first that the kernel refused; the rest were tried."""
    through.send(b"".join(requests))
    outcomes: list[int] = []
    while len(outcomes) < len(requests):
        outcomes += _outcomes(through.recv(1 << 16))
    for outcome in outcomes:
        if outcome:
            raise NetlinkFailed(-outcome, os.strerror(-outcome))


def request(*requests: bytes, protocol: int = socket.NETLINK_ROUTE) -> None:
    """`transact` through a socket of its own."""
    with closing(open_socket(protocol)) as through:
        transact(requests, through)


def delete_link(name: str) -> bool:
    """Remove a device, and with a veth end its other end. Returns whether there was one."""
    try:
        request(link(RTM_DELLINK, attributes=[("IFLA_IFNAME", name)]))
    except NetlinkFailed as error:
        if error.errno == errno.ENODEV:
            return False
        raise refused(f"remove device {name}", error) from error
    return True


def master_of(name: str) -> int:
    """Index of the bridge that a device is a port of; 0 when it is none, or there is no such device."""
    with closing(open_socket()) as through:
        through.send(link(RTM_GETLINK, attributes=[("IFLA_IFNAME", name)]))
        while True:
            for number, body in _messages(through.recv(1 << 16)):
                if number == RTM_NEWLINK:
                    _, found = _device(body)
                    return int.from_bytes(found.get(_IFLA_MASTER, b""), sys.byteorder)
                if number == _NLMSG_ERROR:
                    return 0


def refused(what: str, error: OSError) -> HostError:
    """The error to raise when the kernel refused to do something to the network."""
    hint = (
        "run as root: this needs CAP_NET_ADMIN"
        if error.errno in (errno.EPERM, errno.EACCES)
        else ("see whether the kernel has bridge, veth and nf_tables: isoscope doctor")
    )
    return HostError(f"cannot {what}: {error.strerror}", hint=hint)


def operational_states(datagram: bytes) -> Iterator[tuple[int, int, int]]:
    """Index, flags (netdevice(7)) and operational state (RFC 2863) of each device that a datagram tells of."""
    for number, body in _messages(datagram):
        if number == RTM_NEWLINK:
            (index, flags), found = _device(body)
            if _IFLA_OPERSTATE in found:
                yield index, flags, found[_IFLA_OPERSTATE][0]


def _device(body: bytes) -> tuple[tuple[int, int], dict[int, bytes]]:
    """Index and flags of the device that a message is about, and its attributes by their number."""
    _, _, index, flags, _ = _IFINFOMSG.unpack_from(body)
    found = {}
    at = _IFINFOMSG.size
    while at < len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return (index, flags), found


def _outcomes(datagram: bytes) -> list[int]:
    """The error number of each acknowledgement in a datagram, 0 for success; other messages are passed over."""
    return [_ERRNO.unpack_from(body)[0] for number, body in _messages(datagram) if number == _NLMSG_ERROR]


def _messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each message in a datagram."""
    at = 0
    while at < len(datagram):
        length, number, *_ = _HEADER.unpack_from(datagram, at)
        yield number, datagram[at + _HEADER.size : at + length]
        at += (length + 3) & ~3
