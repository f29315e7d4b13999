"""The backend `oci`: an OCI runtime of this host, on a bundle with the terms of our own containers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from isoscope.backends.container import profile
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.oci import bundle, gvisor, readiness
from isoscope.backends.oci.bundle import Bundle
from isoscope.backends.oci.instance import OciInstance
from isoscope.backends.oci.runtime import REMEDIES, Runtime
from isoscope.backends.peer import trial
from isoscope.backends.peer.backend import PeerBackend
from isoscope.backends.peer.bridge import Bridge
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.memory import Memory
from isoscope.backends.peer.program import Program
from isoscope.core.backend import Context, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import InputError, IsoscopeError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option, Variant
from isoscope.core.workload import Network


class OciBackend(PeerBackend):
    """Any OCI runtime, by name or path. It makes everything but the tree: namespaces, mounts, cgroup, filter."""

    name: ClassVar[str] = "oci"
    summary: ClassVar[str] = "an OCI runtime of this host: runc, crun, youki, gVisor's runsc, Kata"
    makes_cgroup: ClassVar[bool] = True
    options: ClassVar[tuple[Option, ...]] = (
        Option("runtime", "a name on PATH, such as runc, crun, youki, runsc or kata-runtime, or a path", (), "runc"),
        Option("platform", "with gVisor: how its kernel takes system calls", gvisor.PLATFORMS, "default"),
        volume.OPTION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST, Network.BRIDGE}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._bridge = Bridge(context.home)
        self._programs: dict[str, Program] = {}
        self._ready: set[tuple[str, str]] = set()
        self._gvisors: dict[tuple[str, str], Runtime] = {}
        self._lock = threading.Lock()
        self._memory = Memory(context)

    # What there is

    def variants(self) -> tuple[Mapping[str, str], ...]:
        return tuple({"runtime": name} for name in REMEDIES)

    def capabilities_for(self, options: Mapping[str, str]) -> Capabilities:
        return gvisor.capabilities(self.capabilities) if gvisor.named(options["runtime"]) else self.capabilities

    def check(self, options: Mapping[str, str]) -> None:
        name, platform = options["runtime"], options["platform"]
        with self._lock:
            runtime = self._runtime(name, platform, Network.NONE)
            if platform != "default" and not runtime.own_kernel:
                raise InputError(f"runtime {name!r} has no platform", hint="it is for runtime=runsc")
            if (name, platform) not in self._ready:
                if not self._memory.worked([runtime.program.path], self.name, platform):
                    readiness.check(runtime, self.context.home)
                    self._memory.keep([runtime.program.path], self.name, platform)
                self._ready.add((name, platform))

    def _runtime(self, name: str, platform: str, network: Network) -> Runtime:
        program = self._programs.get(name)
        if program is None:
            remedy = REMEDIES.get(name, "give the name of a program on PATH, or an absolute path")
            program = self._programs[name] = Program.find(name, remedy=remedy)
        if not gvisor.named(name):
            return Runtime(program)
        key = name, platform
        if key not in self._gvisors:
            self._gvisors[key] = gvisor.runtime(program, platform)
        return gvisor.on_network(self._gvisors[key], network)

    def _seccomp(self) -> dict[str, Any]:
        return profile.required(profile.specification, self.context.home / "cache")

    # Making

    def plan(self, launch: Launch) -> list[Step]:
        place = self._bundle(launch)
        runtime = self._runtime(launch.options["runtime"], launch.options["platform"], launch.workload.network)
        line = " ".join(runtime.line(place.state, "run", "--bundle", str(place.directory), "--detach", "..."))
        connect = [Step("network", "unshare CLONE_NEWNET, connect eth0 to the bridge by a pair of veth")]
        bridged = launch.workload.network is Network.BRIDGE
        return [*super().plan(launch), *(connect if bridged else []), Step("runtime", line)]

    def _bundle(self, launch: Launch) -> Bundle:
        return Bundle(launch.record.directory / "bundle")

    def _claimed(self, launch: Launch) -> Cgroup:
        return self.tree.of_runtime(launch.record.mark)

    def _instance(self, launch: Launch, means: Means) -> OciInstance:
        bundle.refuse_bytes(launch)
        self._hold_folders(launch.record)
        runtime = self._runtime(launch.options["runtime"], launch.options["platform"], launch.workload.network)
        joined, place = self._bridge.join(launch), self._bundle(launch)
        path = None if joined is None else joined.path
        place.write(bundle.config(launch, means.tree, means.cgroup, self._seccomp(), path))
        return OciInstance(launch, means, runtime, place, joined)

    def _end(self, record: Record) -> None:
        state = record.directory / "bundle/state"
        if state.is_dir() and any(state.iterdir()):  # else it was never started
            options = Variant.parse(record.variant).backend_options(self.options)
            with contextlib.suppress(IsoscopeError):  # then its processes are killed by their cgroup
                runtime = self._runtime(options["runtime"], options["platform"], Network.NONE)
                runtime.call(state, "delete", "--force", record.mark)
        _held(record).remove()
        self._bridge.release(record)

    def _hold_folders(self, record: Record) -> None:
        """Keep the folders in which the runtime will make its cgroups: other labs remove them when they are empty."""
        held = self.tree.of_runtime(_held_mark(record))
        record.claim(held=held.directories)
        held.make()

    def sweep(self, live: list[Record]) -> list[str]:
        return super().sweep(live) + self._bridge.sweep(live) + trial.sweep(self.tree, "oci")

    def close(self) -> None:
        super().close()
        self._bridge.close()


def _held_mark(record: Record) -> str:
    return f"{record.mark}-held"


def _held(record: Record) -> Cgroup:
    return Cgroup.recorded(record.resources.get("held"), _held_mark(record))
