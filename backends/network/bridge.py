"""The one bridge with address translation that the containers and VMs of one state directory share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from isoscope.backends.network import device, forwarding, nat, subnet
from isoscope.backends.network.lease import Lease
from isoscope.backends.network.leases import Leases
from isoscope.backends.network.lock import locked
from isoscope.backends.network.names import Names
from isoscope.backends.network.resolver import name_servers
from isoscope.core.errors import HostError
from isoscope.core.registry import Record, Registry

_log = logging.getLogger(__name__)


def _may_build() -> bool:
    """Devices, rules and switches of the host are root's."""
    return os.geteuid() == 0


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
        self._names = Names.of(home)
        self._directory = home / "network"
        self._used = False

    @property
    def bridge(self) -> str:
        """Name of the bridge, of at most 15 bytes."""
        return self._names.bridge

    def lease(self, record: Record) -> Lease:
        """Reserve an address for the record's instance and make sure that the bridge stands.

        The lease is written to `record.resources["network"]` (`Lease.as_dict`) before the instance's device is made.
        A second call for the same record returns the same lease. Raises HostError when the network cannot be built,
        or has no address left.
        """
        if not _may_build():
            raise HostError("the network bridge needs root", hint="use --network none or host, or run as root")
        with locked(self._directory):
            leases = self._load()
            self._build(leases)
            place = leases.places.get(record.id) or leases.free_place()
            lease = self._lease(leases, place)
            record.claim(network=lease.as_dict())
            leases.places[record.id] = place
            leases.save()
        return lease

    def ensure(self) -> None:
        """Build what is missing of the bridge, its address, forwarding and address translation. `lease` calls it.

        Idempotent, and cheap when all of it stands. Raises HostError.
        """
        with locked(self._directory):
            self._build(self._load())

    def connect(self, lease: Lease, netns: int) -> None:
        """Give the network namespace a device `eth0` on the bridge, with the lease's address and default route.

        `netns` is a descriptor of the namespace (/proc/PID/ns/net), which stays the caller's. `lo` is brought up, too.
        Raises HostError; what was made by then goes with `release`.
        """
        device.connect(lease, netns)

    def release(self, record: Record) -> None:
        """Remove the instance's device from the host and free its address.

        Idempotent, also in another process than the one that leased, and for a record that never had a lease.
        """
        if "network" not in record.resources:
            return
        with locked(self._directory):
            leases = self._load()
            if record.id in leases.places:  # else the place may be somebody else's by now
                self._free(leases, [record.id])

    def sweep(self, live: Iterable[Record]) -> list[str]:
        """Free the addresses of instances that are gone; when none is left, take the bridge down with all its company.

        Returns a line for each thing removed: none for a user who could never build a bridge.
        """
        if not _may_build():
            return []
        with locked(self._directory):
            leases = self._load()
            gone = self._gone(leases, live)
            self._free(leases, gone)
            lines = [f"freed the address of instance {name}" for name in gone]
            return lines if leases.places else lines + self._take_down(leases)

    def close(self) -> None:
        """Take the bridge down when no address is leased any more, by anybody. Idempotent."""
        if not self._used:
            return
        self._used = False
        with locked(self._directory):
            leases = self._load()
            if not leases.places:
                self._take_down(leases)

    # All below is done under the lock of the state directory's network.

    def _load(self) -> Leases:
        return Leases.load(self._directory / "leases.json")

    def _lease(self, leases: Leases, place: int) -> Lease:
        network = leases.network()
        servers, search = name_servers()
        return Lease(
            bridge=self.bridge,
            interface=self._names.interface(place),
            mac=device.mac(network[place]),
            address=str(network[place]),
            prefix_length=network.prefixlen,
            gateway=str(network[1]),
            mtu=leases.mtu,
            dns_servers=servers,
            dns_search=search,
        )

    def _build(self, leases: Leases) -> None:
        self._used = True
        if leases.subnet and device.is_up(self.bridge) and forwarding.is_on() and nat.stands(self._names):
            return
        try:
            self._rebuild(leases)
        except BaseException:
            if not leases.places:
                with suppress(HostError):  # the first error tells more
                    self._take_down(leases)
            raise
        for chain in nat.forward_blockers():
            _log.warning(
                "nftables chain %r drops what the bridge %s forwards: instances will not reach the outside. "
                "Let its owner accept interfaces isoscope*, with Docker: "
                "iptables -I DOCKER-USER -i isoscope+ -j ACCEPT; iptables -I DOCKER-USER -o isoscope+ -j ACCEPT",
                chain,
                self.bridge,
            )

    def _rebuild(self, leases: Leases) -> None:
        with forwarding.host_lock():
            stands = device.is_ours(self._names)
            if stands and not leases.subnet:  # somebody removed the state directory under it
                device.remove_all(self._names)
            if not stands or not leases.subnet:
                self._choose(leases)
            network = leases.network()
            forwarding.turn_on()
            nat.build(self._names, network)
            device.build_bridge(self._names, network[1], network.prefixlen, leases.mtu)

    def _choose(self, leases: Leases) -> None:
        """Settle the subnet of a bridge that does not stand yet; instances that still run keep theirs."""
        self._free(leases, self._gone(leases, ()))
        if not leases.places:
            seed = int(self.bridge[-6:], 16)
            leases.subnet, leases.mtu = str(subnet.choose(seed, subnet.routed())), subnet.uplink_mtu()
        leases.save()

    def _gone(self, leases: Leases, live: Iterable[Record]) -> list[str]:
        """The instances that have a lease but no living owner; one may have come to life since `live` was listed."""
        held = {record.id for record in live if record.exit is None}
        held |= {record.id for record in Registry(self.home) if record.exit is None and record.owner.alive()}
        return [name for name in leases.places if name not in held]

    def _free(self, leases: Leases, ids: list[str]) -> None:
        for name in ids:
            device.remove_port(self._names, self._names.interface(leases.places[name]))
        if leases.drop(ids):
            leases.save()

    def _take_down(self, leases: Leases) -> list[str]:
        leases.subnet = ""
        leases.save()
        with forwarding.host_lock():
            lines = [f"removed device {name}" for name in device.remove_all(self._names)]
            if nat.remove(self._names):
                lines.append(f"removed nftables table ip {self._names.table}")
            return lines + forwarding.restore(self.bridge)
