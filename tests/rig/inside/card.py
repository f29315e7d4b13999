"""The emulated card, what may be changed of the host, and what others do to both. For the tests beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from isoscope.backends.sriov.journal import claimant
from isoscope.backends.sriov.pci import Pci
from isoscope.core import Instance, Workload
from isoscope.core.workload import Network

SLEEP = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"), network=Network.VF)

CARD = next(Pci().physical_functions(), None)
PF = Path("/sys/bus/pci/devices") / (CARD.address if CARD else "none")
PORT = CARD.interfaces[0] if CARD else ""

#: Opens a function through VFIO as a VMM does, says so, and holds it until its input ends; Documentation/driver-api/
#: vfio.rst. Arguments: address and IOMMU group.
_HOLDER = """
import fcntl, os, sys
SET_CONTAINER, SET_IOMMU, GET_DEVICE_FD, TYPE1 = 15208, 15206, 15210, 1
container, group = os.open("/dev/vfio/vfio", os.O_RDWR), os.open(f"/dev/vfio/{sys.argv[2]}", os.O_RDWR)
fcntl.ioctl(group, SET_CONTAINER, container.to_bytes(4, "little"))
fcntl.ioctl(container, SET_IOMMU, TYPE1)
fcntl.ioctl(group, GET_DEVICE_FD, bytearray(sys.argv[1].encode() + b"\\0"))
print("held", flush=True)
sys.stdin.read()
"""


def state() -> dict[str, Any]:
    """All that may be changed: functions with their drivers, network devices, and the card's terms for its functions.

    The latter two by ip(8), which knows nothing of our ways to read and set them.
    """
    told = subprocess.run(["ip", "-json", "-details", "address", "show"], check=True, capture_output=True).stdout
    return {
        "functions": Pci().functions(),
        "devices": {link["ifname"]: _lasting(link) for link in json.loads(told)},
        "claimant": claimant(PF.name),
    }


def _lasting(link: dict[str, Any]) -> dict[str, Any]:
    """What is set, of what is told of a network device."""
    addresses = (f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"])
    return {
        "up": "UP" in link["flags"],
        "addresses": sorted(text for text in addresses if not text.startswith("fe80")),
        **{name: link.get(name) for name in ("mtu", "address", "master", "altnames", "vfinfo_list")},
    }


def lease(instance: Instance) -> dict[str, Any]:
    """What an instance has of the card."""
    found: dict[str, Any] = instance.record.resources["network"]
    return found


def gateway(instance: Instance) -> str:
    """The host's own address on the card."""
    own = ip_interface(f"{lease(instance)['address']}/{lease(instance)['prefix_length']}")
    return str(next(own.network.hosts()))


def reaches(instance: Instance, address: str) -> bool:
    """Whether one of a minute's packets is answered: after a reset, drivers look for their link every few seconds."""
    tries = f"for _ in $(seq 30); do ping -c 1 -W 2 {address} && exit; sleep 1; done; exit 1"
    return instance.exec(("sh", "-c", tries)).wait(300).exit_status == 0


def run(*words: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def write(path: Path, text: str) -> None:
    """As `echo` does."""
    with path.open("w") as file:
        file.write(text)


@contextmanager
def of_others() -> Iterator[tuple[str, ...]]:
    """Three virtual functions that somebody else made and configured: each in its own way, none in use."""
    run("ip", "link", "set", PORT, "up")  # or a driver gets no address of it, and makes one up
    write(PF / "sriov_numvfs", "3")
    try:
        vfs = Pci().function(PF.name).vfs
        run("ip", "link", "set", PORT, "vf", "0", "mac", "02:00:00:00:00:07")
        run("ip", "link", "set", PORT, "vf", "0", "vlan", "5", "qos", "3")
        write(PF.parent / vfs[0] / "driver/unbind", vfs[0])  # a driver reads its address when it is bound
        write(Path("/sys/bus/pci/drivers_probe"), vfs[0])
        [name] = Pci().function(vfs[0]).interfaces
        run("ip", "link", "set", name, "name", "theirs0", "mtu", "1400")
        run("ip", "link", "set", PORT, "vf", "1", "spoofchk", "off")
        run("ip", "link", "set", PORT, "vf", "1", "trust", "on")
        write(PF.parent / vfs[1] / "driver/unbind", vfs[1])
        write(PF.parent / vfs[1] / "driver_override", "igbvf")
        yield vfs
    finally:
        write(PF / "sriov_numvfs", "0")
        run("ip", "link", "set", PORT, "down")


@contextmanager
def held(address: str) -> Iterator[subprocess.Popen[str]]:
    """A function bound to vfio-pci and open in another process, as if it were in somebody else's VM."""
    place = PF.parent / address
    if (place / "driver").exists():
        write(place / "driver/unbind", address)
    write(place / "driver_override", "vfio-pci")
    write(Path("/sys/bus/pci/drivers_probe"), address)
    write(place / "driver_override", "\n")
    words = [sys.executable, "-c", _HOLDER, address, str(Pci().function(address).group)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.communicate()


def killed(work: Callable[[], None]) -> bool:
    """Do something in a child. Returns whether it was killed at it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
