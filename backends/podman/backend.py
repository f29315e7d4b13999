"""The backend `podman`: containers of podman(1), which needs no daemon."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from isoscope.backends.docker.terms import check_text
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.peer import trial
from isoscope.backends.peer.backend import PeerBackend
from isoscope.backends.peer.faults import plain
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.memory import Memory
from isoscope.backends.peer.program import Program
from isoscope.backends.podman import probe
from isoscope.backends.podman.command import Podman, identity_file
from isoscope.backends.podman.instance import PodmanInstance
from isoscope.backends.podman.store import call, remove
from isoscope.core.backend import Context, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import HostError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option, Variant
from isoscope.core.workload import Network


class PodmanBackend(PeerBackend):
    """podman on our tree (`--rootfs`): its command, conmon, its terms and runtime, but not its image store.

    Its bridge is left out: it stays on the host, with rules of a packet filter that podman never takes back.
    """

    name: ClassVar[str] = "podman"
    summary: ClassVar[str] = "podman run on the image's tree, without a daemon"
    makes_cgroup: ClassVar[bool] = True
    options: ClassVar[tuple[Option, ...]] = (
        Option("runtime", "the OCI runtime that podman is to use: a name on PATH, or a path", (), "runc"),
        volume.OPTION,
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ready: dict[str, Podman] = {}
        self._lock = threading.Lock()
        self._memory = Memory(context)

    @property
    def _directory(self) -> Path:
        return self.context.home / "podman"

    def check(self, options: Mapping[str, str]) -> None:
        self._podman(options["runtime"])

    def _podman(self, runtime: str) -> Podman:
        with self._lock:
            if runtime not in self._ready:
                others = [
                    Program.find("conmon", remedy="apt install podman conmon"),
                    Program.find(runtime, remedy=f"apt install {Path(runtime).name}"),
                ]
                program = Program.find("podman", remedy="apt install podman")
                podman = Podman(program, self._directory, runtime)
                programs = [one.path for one in (program, *others)]
                if not self._memory.worked(programs, self.name):
                    probe.check(podman, self.tree)
                    self._memory.keep(programs, self.name)
                self._ready[runtime] = podman
            return self._ready[runtime]

    def plan(self, launch: Launch) -> list[Step]:
        podman = self._podman(launch.options["runtime"])
        line = " ".join(podman.run(launch, str(self.context.home / "mounts" / launch.record.mark)))
        return [*super().plan(launch), Step("runtime", line)]

    def _claimed(self, launch: Launch) -> Cgroup:
        return self.tree.of_runtime(launch.record.mark)

    def _instance(self, launch: Launch, means: Means) -> PodmanInstance:
        check_text(launch.workload.command, *launch.environment().items())
        return PodmanInstance(launch, means, self._prepared(launch.options["runtime"]))

    def _prepared(self, runtime: str) -> Podman:
        podman = self._podman(runtime)
        try:
            podman.prepare()
        except OSError as error:
            raise HostError(f"cannot prepare {self._directory}: {error.strerror}", hint="free some space") from error
        return podman

    def _end(self, record: Record) -> None:
        if identity_file(record.directory).exists():
            options = Variant.parse(record.variant).backend_options(self.options)
            podman = self._prepared(options["runtime"])
            done = call(podman, "rm", "--force", "--time", "0", "--ignore", record.mark)
            if done.returncode:
                raise HostError(f"podman cannot remove {record.mark}: {plain(done.stderr)}", hint="try again")

    def sweep(self, live: list[Record]) -> list[str]:
        lines = super().sweep(live) + trial.sweep(self.tree, "podman")
        if self._directory.exists() and not any(_is_podmans(record) for record in live):
            remove(Podman(Program("podman", ""), self._directory, ""))
        return lines


def _is_podmans(record: Record) -> bool:
    return record.exit is None and Variant.parse(record.variant).backend == PodmanBackend.name
