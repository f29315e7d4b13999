"""The backend `container`: Linux namespaces, cgroups and overlayfs, by our own hands."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import cached_property, partial
from typing import ClassVar

from isoscope.backends.container import plan, profile, storage
from isoscope.backends.container.idmaps import IdMaps
from isoscope.backends.container.instance import ContainerInstance
from isoscope.backends.container.plan import Connect, Terms
from isoscope.backends.container.probe import lacks, marked_processes
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.cgroups import Cgroup, Tree
from isoscope.backends.launcher.client import Launcher
from isoscope.backends.network import BridgeNetwork
from isoscope.backends.sriov import OPTIONS, VfNetwork, vf_terms
from isoscope.core.backend import Backend, Context, Lack, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import HostError, InputError
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option
from isoscope.core.workload import Network

#: How `eth0` comes into a network namespace.
_CONNECTIONS = {
    Network.BRIDGE: "connect eth0 to the bridge by a pair of veth; address, default route; lo up",
    Network.VF: "bind the virtual function to its driver, move its device into the namespace as eth0; address; lo up",
}

#: The modules whose steps the launcher must know.
STEPS = ("isoscope.backends.container.steps",)


class ContainerBackend(Backend):
    """Containers: every namespace, the image's layers under an own one, limits by cgroups, Docker's default terms."""

    name: ClassVar[str] = "container"
    summary: ClassVar[str] = "namespaces, cgroups and overlayfs, sharing the host's kernel"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION, *OPTIONS)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset(Network),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._launcher = Launcher(*STEPS)
        self._network = BridgeNetwork(context.home)
        self._vfs = VfNetwork(context.home)
        self._lacks: list[Lack] | None = None
        self._prepared = False

    @cached_property
    def _tree(self) -> Tree:
        return Tree.discover()

    @cached_property
    def _maps(self) -> IdMaps | None:
        return None if os.geteuid() == 0 else IdMaps.of_caller()

    @cached_property
    def _seccomp(self) -> bytes:
        return profile.required(profile.program, self.context.home / "cache")

    def lacks(self) -> list[Lack]:
        if self._lacks is None:
            probing = Launcher(*STEPS)
            try:
                self._lacks = lacks(probing, self._maps)
            finally:
                probing.close()
        return self._lacks

    def plan(self, launch: Launch) -> list[Step]:
        network = launch.workload.network
        connect = _connect_nothing if network in (Network.BRIDGE, Network.VF) else None
        steps = plan.build(launch, self._terms(launch, connect)).steps()
        if network is Network.VF:
            sentences = self._vfs.plan(vf_terms(launch.options), to_vm=False)
            steps = [*(Step("network", sentence) for sentence in sentences), *steps]
        return steps

    def create(self, launch: Launch) -> Instance:
        self._check(launch)
        terms = self._terms(launch, None)
        self._launcher.spawn()
        self._tree.prepare(terms.cgroup)
        launch.record.claim(cgroups=terms.cgroup.directories)
        try:
            return self._create(launch)
        except BaseException:
            self.reclaim(launch.record)
            raise

    def _create(self, launch: Launch) -> Instance:
        record, connect, release = launch.record, None, None
        if launch.workload.network is Network.BRIDGE:
            lease = self._network.lease(record)
            (record.directory / "resolv.conf").write_text(lease.resolv_conf())
            connect, release = partial(self._network.connect, lease), partial(self._network.release, record)
        elif launch.workload.network is Network.VF:
            vf = self._vfs.lease(record, vf_terms(launch.options), to_vm=False)
            (record.directory / "resolv.conf").write_text(vf.resolv_conf())
            connect, release = partial(self._vfs.connect, vf), partial(self._vfs.release, record)
        storage.make(launch, self._maps)
        return ContainerInstance(launch, self._launcher, self._terms(launch, connect), release)

    def _terms(self, launch: Launch, connect: Connect | None) -> Terms:
        return Terms(
            cgroup=self._tree.cgroup(launch.record.mark, launch.workload.resources),
            maps=self._maps,
            seccomp=self._seccomp,
            make_network=self._launcher.network_namespace,
            connect=connect,
            connection=_CONNECTIONS.get(launch.workload.network, ""),
        )

    def _check(self, launch: Launch) -> None:
        for mount in launch.workload.mounts:
            if len(mount.target.parts) == 1:
                raise InputError("a host directory cannot be shown as the root", hint="choose another target for -v")
        volume.check(launch)
        network = launch.workload.network
        if self._maps is not None and network in (Network.BRIDGE, Network.VF):
            raise HostError(f"the network {network} needs root", hint="use --network none or host, or run as root")

    def reclaim(self, record: Record) -> None:
        cgroup = Cgroup.recorded(record.resources.get("cgroups"), record.mark)
        for pidfd in marked_processes(record.mark):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
        cgroup.end()
        self._network.release(record)
        self._vfs.release(record)
        storage.remove(record, self._maps, self._launcher)

    def sweep(self, live: list[Record]) -> list[str]:
        return self._tree.sweep(live) + self._network.sweep(live) + self._vfs.sweep(live)

    def close(self) -> None:
        self._launcher.close()
        self._network.close()
        self._vfs.close()
        self._tree.clean()


def _connect_nothing(netns: int) -> None:
    """Stands for the connection in a plan that is only read."""
