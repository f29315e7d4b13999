"""The one bridge with address translation that the containers and VMs of one state directory share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from isoscope.backends.network.lease import Lease
from isoscope.core.registry import Record


class BridgeNetwork:
    """The bridge of one state directory. Construction touches nothing; safe to use from several threads and processes.

    The order in which a backend uses it:

        network = BridgeNetwork(context.home)     # once for each backend
        lease = network.lease(record)             # before anything else is made; the bridge stands afterwards
        network.connect(lease, netns)             # containers; a VM gives `lease.interface` to libvirt instead
        network.release(record)                   # in delete and reclaim, in any state
        network.sweep(live)                       # in the backend's sweep
        network.close()                           # in the backend's close
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bridge = ""

    def lease(self, record: Record) -> Lease:
        """Reserve an address for the record's instance and make sure that the bridge stands.

        The lease is written to `record.resources["network"]` (`Lease.as_dict`) before anything is made. A second call
        for the same record returns the same lease. Raises HostError when the network cannot be built, or has no
        address left.
        """
        raise NotImplementedError

    def ensure(self) -> None:
        """Build what is missing of the bridge, its address, forwarding and address translation. `lease` calls it.

        Idempotent, and cheap when all of it stands. Raises HostError.
        """
        raise NotImplementedError

    def connect(self, lease: Lease, netns: int) -> None:
        """Give the network namespace a device `eth0` on the bridge, with the lease's addresses and default route.

        `netns` is a descriptor of the namespace (/proc/PID/ns/net, or a pidfd), which stays the caller's. `lo` is
        brought up, too. Raises HostError; what was made by then goes with `release`.
        """
        raise NotImplementedError

    def release(self, record: Record) -> None:
        """Remove the instance's device from the host and free its address.

        Idempotent, also in another process than the one that leased, and for a record that never had a lease.
        """
        raise NotImplementedError

    def sweep(self, live: Iterable[Record]) -> list[str]:
        """Free the addresses of instances that are gone; when none is left, take down the bridge and all that came with it.

        Returns a line for each thing removed.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Take the bridge down when no address is leased any more, by anybody. Idempotent."""
        raise NotImplementedError
