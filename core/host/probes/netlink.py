"""As much netlink as the network probe speaks: netlink(7), rtnetlink(7), linux/netfilter/nf_tables.h."""

from __future__ import annotations

import os
import socket
import struct

NETLINK_NETFILTER = 12
NLMSG_ERROR = 2
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_NESTED = 0x8000

RTM_NEWLINK, RTM_GETLINK = 16, 18
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 3, 18, 1, 2, 1
INTERFACE = bytes(16)  #: struct ifinfomsg of a new link

_NFT = 10 << 8  #: NFNL_SUBSYS_NFTABLES
NEWTABLE, NEWCHAIN, NEWRULE = _NFT | 0, _NFT | 3, _NFT | 6
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_IPV4 = 2


def attribute(kind: int, *values: bytes | str) -> bytes:
    """One attribute: a text, or bytes that may be attributes themselves."""
    payload = b"".join(v.encode() + b"\0" if isinstance(v, str) else v for v in values)
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """One attribute that holds others."""
    return attribute(kind | _NESTED, *attributes)


def make_link(name: str, kind: str, data: bytes = b"") -> None:
    """Make a network interface. Raises OSError."""
    information = nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, kind), data)
    body = INTERFACE + attribute(IFLA_IFNAME, name) + information
    _talk(socket.NETLINK_ROUTE, [_message(RTM_NEWLINK, body, 1)], 1, f"RTM_NEWLINK {kind}")


def ask_for_link(index: int) -> None:
    """Ask for a network interface. Raises OSError."""
    body = struct.pack("=BBHiII", 0, 0, 0, index, 0, 0)
    _talk(socket.NETLINK_ROUTE, [_message(RTM_GETLINK, body, 1, flags=_REQUEST | _ACK)], 1, "RTM_GETLINK")


def nftables(requests: list[tuple[int, bytes]], call: str) -> None:
    """Do requests of nf_tables in one transaction. Raises OSError."""
    messages = [_message(_BATCH_BEGIN, struct.pack("!BBH", 0, 0, _NFT >> 8), 0, flags=_REQUEST)]
    for sequence, (kind, attributes) in enumerate(requests, start=1):
        messages.append(_message(kind, struct.pack("!BBH", _IPV4, 0, 0) + attributes, sequence))
    messages.append(_message(_BATCH_END, struct.pack("!BBH", 0, 0, _NFT >> 8), 0, flags=_REQUEST))
    _talk(NETLINK_NETFILTER, messages, len(requests), call)


def _message(kind: int, body: bytes, sequence: int, flags: int = _REQUEST | _ACK | _EXCL | _CREATE) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def _talk(protocol: int, messages: list[bytes], acknowledgements: int, call: str) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as connection:
        connection.bind((0, 0))
        connection.send(b"".join(messages))
        while acknowledgements > 0:
            acknowledgements -= _acknowledged(connection.recv(65536), call)


def _acknowledged(answer: bytes, call: str) -> int:
    """How many requests an answer acknowledges."""
    count = 0
    while len(answer) >= 20:
        length, kind = struct.unpack_from("=IH", answer)
        if kind == NLMSG_ERROR:
            (error,) = struct.unpack_from("=i", answer, 16)
            if error:
                raise OSError(-error, os.strerror(-error), call)
            count += 1
        answer = answer[(length + 3) & ~3 :]
    return count
