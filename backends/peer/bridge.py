"""The bridge, for peers that join a network namespace which is ready, by its path."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from isoscope.backends.launcher.client import Launcher
from isoscope.backends.network import BridgeNetwork, Lease
from isoscope.backends.peer.instance import Means, PeerInstance
from isoscope.backends.peer.netns import NetworkNamespace
from isoscope.core.instance import Connection
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.workload import Network


class Bridge:
    """The bridge of one state directory, as a peer's backend uses it."""

    def __init__(self, home: Path) -> None:
        self._network = BridgeNetwork(home)
        self._launcher = Launcher()

    def join(self, launch: Launch) -> NetworkNamespace | None:
        """The namespace that an instance will have, and `resolv_conf`; None where the workload asks for no bridge."""
        if launch.workload.network is not Network.BRIDGE:
            return None
        lease = self._network.lease(launch.record)
        resolv_conf(launch).write_text(lease.resolv_conf())
        return NetworkNamespace(self._launcher, partial(self._network.connect, lease))

    def release(self, record: Record) -> None:
        """Free what the instance has of it. Idempotent."""
        self._network.release(record)

    def sweep(self, live: list[Record]) -> list[str]:
        """Take the bridge down when nobody needs it any more. Returns a line for each thing removed."""
        return self._network.sweep(live)

    def close(self) -> None:
        """End the helper, and take the bridge down when nobody needs it. Idempotent."""
        self._launcher.close()
        self._network.close()


class JoiningInstance(PeerInstance):
    """An instance whose peer joins the network namespace, where there is one; else it makes what it needs itself."""

    phases = ("network", "runtime", "ready")

    def __init__(self, launch: Launch, means: Means, network: NetworkNamespace | None) -> None:
        super().__init__(launch, means)
        self._network = network

    def _start(self) -> None:
        if self._network is None:
            super()._start()
            return
        try:
            self._network.make()
            self.timeline.mark("network")
            super()._start()
        finally:
            self._network.close()

    def connection(self) -> Connection | None:
        return Lease.connection(self.record)

    def _delete(self) -> None:
        if self._network is not None:
            self._network.close()
        super()._delete()


def resolv_conf(launch: Launch) -> Path:
    """What an instance on the bridge has as its /etc/resolv.conf."""
    return launch.record.directory / "resolv.conf"
