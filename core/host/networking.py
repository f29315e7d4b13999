"""Links and address translation, made in a network namespace that ends with the child that made it."""

from __future__ import annotations

import errno

from isoscope.core.host.child import ask
from isoscope.core.host.facts import Networking
from isoscope.core.host.outcome import DEADLINE_S, feature


def probe() -> Networking:
    """Try everything that the bridge network is made of, and tap. Never raises."""
    answer = ask("network", deadline_s=DEADLINE_S)

    def loading(*modules: str) -> dict[int, str]:
        return dict.fromkeys((errno.EOPNOTSUPP, errno.ENOENT, errno.ENODEV), f"modprobe -a {' '.join(modules)}")

    return Networking(
        netlink=feature(answer, "namespace", "netlink"),
        bridge=feature(answer, "namespace", "bridge", remedies=loading("bridge")),
        veth=feature(answer, "namespace", "veth", remedies=loading("veth")),
        nat=feature(answer, "namespace", "nat", remedies=loading("nf_tables", "nft_masq")),
        tap=feature(answer, "namespace", "tap", remedies=loading("tun")),
    )
