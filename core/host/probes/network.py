"""Makes links and a rule of address translation in a network namespace of its own, which takes them with it."""

from __future__ import annotations

import fcntl
import os
import struct

from isoscope.core.host.probes import netlink as nl
from isoscope.core.host.probes.report import attempt
from isoscope.core.host.probes.user import enter

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x2, 0x1000
_POSTROUTING, _SRCNAT = 4, 100  # linux/netfilter_ipv4.h: a hook, and the priority that goes with it


def main(_: list[str]) -> None:
    """Say what becomes of `namespace`, `netlink`, `bridge`, `veth`, `nat` and `tap`."""
    if attempt("namespace", enter, ("net",)):
        attempt("netlink", nl.ask_for_link, 1)
        attempt("bridge", nl.make_link, "isoscope-br", "bridge")
        peer = nl.nested(nl.VETH_INFO_PEER, nl.INTERFACE, nl.attribute(nl.IFLA_IFNAME, "isoscope-b"))
        attempt("veth", nl.make_link, "isoscope-a", "veth", nl.nested(nl.IFLA_INFO_DATA, peer))
        attempt("nat", _make_nat)
        attempt("tap", _make_tap)


def _make_nat() -> None:
    table = nl.attribute(1, "isoscope-probe")
    hook = nl.nested(4, nl.attribute(1, struct.pack("!I", _POSTROUTING)), nl.attribute(2, struct.pack("!I", _SRCNAT)))
    chain = nl.attribute(3, "postrouting") + hook + nl.attribute(7, "nat")
    expression = nl.nested(1, nl.attribute(1, "masq"), nl.nested(2))
    rule = nl.attribute(2, "postrouting") + nl.nested(4, expression)
    requests = [(nl.NEWTABLE, table), (nl.NEWCHAIN, table + chain), (nl.NEWRULE, table + rule)]
    nl.nftables(requests, "nftables masquerade")


def _make_tap() -> None:
    device = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"isoscope-tap", _IFF_TAP | _IFF_NO_PI))
    finally:
        os.close(device)
