"""The instance's own network device, as it is seen from inside: whose it is, and the packets that it counted."""

from __future__ import annotations

from dataclasses import dataclass

from isoscope.benchmarks.inside import run_inside
from isoscope.core.errors import Unsupported, WorkloadFailed
from isoscope.core.instance import Instance

#: Documentation/ABI/testing/sysfs-class-net and sysfs-class-net-statistics
_DEVICE = "/sys/class/net/eth0"
_COUNTERS = ("rx_packets", "tx_packets")


def driver(instance: Instance, timeout: float) -> str:
    """The driver of its device; empty for one that is no hardware, as an end of a veth."""
    said = run_inside(instance, ("readlink", f"{_DEVICE}/device/driver"), timeout=timeout, statuses=(0, 1))
    return said.strip().rpartition("/")[2]


@dataclass(frozen=True)
class Device:
    """Its state at one moment."""

    mac: str
    received: int  #: packets, since the device is there
    sent: int

    @classmethod
    def read(cls, instance: Instance, timeout: float) -> Device:
        """As the instance's kernel shows it. Raises Unsupported where it shows none, and what `run_inside` raises."""
        files = (f"{_DEVICE}/address", *(f"{_DEVICE}/statistics/{name}" for name in _COUNTERS))
        lines = run_inside(instance, ("cat", *files), timeout=timeout, statuses=(0, 1)).split()
        if len(lines) != 1 + len(_COUNTERS) or not all(line.isdecimal() for line in lines[1:]):
            raise Unsupported(f"the instance shows no {_DEVICE}")
        return cls(lines[0], int(lines[1]), int(lines[2]))

    def packets_until(self, later: Device) -> int:
        """How many passed, in both directions. Raises WorkloadFailed when none did: the test took another way."""
        packets = later.received - self.received + later.sent - self.sent
        if packets <= 0:
            raise WorkloadFailed(
                f"the instance's own device ({self.mac}) counted no packet during the test",
                hint="what was measured went another way: see the routes of instance and host",
            )
        return packets

    def check(self, mac: str) -> None:
        """Raise WorkloadFailed unless it has the address that it was given; "" where the backend does not say."""
        if mac and self.mac != mac.lower():
            raise WorkloadFailed(
                f"the instance's device has the address {self.mac}, not {mac}, which it was given",
                hint="does the driver refuse it? dmesg of host and guest",
            )
