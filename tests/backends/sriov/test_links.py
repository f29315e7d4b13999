"""What the kernel tells of network devices, read in a network namespace that is made for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: A bridge with a port, a macvlan, a route of another table, and a default route by two ways.
_MAKE = """
ip link set lo up
for name in used idle br9; do ip link add $name type bridge; done
ip link add port type veth peer name other
ip link set port master br9
ip link add link idle name upper9 type macvlan
for name in used br9; do ip link set $name up; done
ip address add 192.0.2.1/24 dev used
ip route add 198.51.100.0/24 dev used table 77
ip address add 203.0.113.1/24 dev br9
ip route add default nexthop via 192.0.2.9 dev used nexthop via 203.0.113.9 dev br9
"""

_READ = """
from isoscope.backends.sriov.links import Links
links = Links.read()
for name in ("used", "br9", "port", "idle", "lo"):
    print(name, name in links.up, sorted(a for a in links.addresses.get(name, ()) if "." in a), links.why_used(name))
print(sorted(text for text in links.routes["used"] if ":" not in text))
"""


@pytest.mark.root
def test_what_devices_are_used_for() -> None:
    script = f'{_MAKE}\nexec "$0" -c "$1"'
    command = ["unshare", "--net", "sh", "-ec", script, sys.executable, _READ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "used True ['192.0.2.1/24'] it carries this host's default route",
        "br9 True ['203.0.113.1/24'] it carries this host's default route",
        "port False [] it is part of br9",
        "idle False [] upper9 is on top of it",
        "lo True ['127.0.0.1/8'] it has 127.0.0.1/8",
        "['192.0.2.0/24', '198.51.100.0/24', 'default']",
    ]
