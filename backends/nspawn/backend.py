"""The backend `nspawn`: systemd-nspawn(1) makes the container, we the tree and the cgroup around it."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.nspawn import command
from isoscope.backends.nspawn.instance import NspawnInstance
from isoscope.backends.peer import links, trial
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.joining import NETNS, JoiningBackend
from isoscope.backends.peer.program import Program
from isoscope.backends.peer.spawn import Start
from isoscope.core.backend import Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import HostError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option
from isoscope.core.workload import Network, Resources

_INSTALL = "apt-get install --no-install-recommends systemd-container"
_OLDEST = 247  # in which --console=pipe, SYSTEMD_NSPAWN_LOCK and cgroups of version 2 are what they are today
_KEPT = Path("/run/systemd/nspawn")
_MOUNTED = ("/dev", "/proc", "/run", "/sys", "/tmp")  # noqa: S108 -- where it mounts and makes devices


class NspawnBackend(JoiningBackend):
    """systemd-nspawn, without systemd: no machine is registered and no unit made, so the limits are ours to set.

    There is no second command: `systemd-run --machine` and `machinectl shell` take a registered machine with a systemd
    in it, and to enter the namespaces by hand would be something else's doing.
    """

    name: ClassVar[str] = "nspawn"
    summary: ClassVar[str] = "systemd-nspawn, a container of systemd's: namespaces by it, cgroup by us"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION,)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST, Network.BRIDGE}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        pause=True,
        stats=True,
    )

    command: ClassVar[str] = "systemd-nspawn"
    hierarchies: ClassVar[str] = "cgroup version 2 at /sys/fs/cgroup, or beside version 1 at /sys/fs/cgroup/unified"

    @cached_property
    def program(self) -> Program:
        """systemd-nspawn. Raises BackendUnavailable, and HostError for one that is too old, or something else."""
        program = Program.find("systemd-nspawn", remedy=_INSTALL)
        name, version, *_ = *program.version.split(), "", ""
        if name != "systemd" or not version.isdecimal():
            raise HostError(f"{program.path} is not systemd-nspawn: it says {program.version!r}", hint=_INSTALL)
        if int(version) < _OLDEST:
            raise HostError(
                f"{program.version} is too old: {_OLDEST} is the oldest that is known to work", hint=_INSTALL
            )
        return program

    def _try(self, name: str, directory: Path) -> str:
        (directory / "usr").mkdir()
        cgroup = self._in_every_hierarchy(name, Resources())
        options = ("--console=pipe", "--private-network", f"--machine={name}", f"--directory={directory}", "--")
        words = (self.program.path, *command.TERMS, *options, trial.NO_COMMAND)
        self.tree.prepare(cgroup)
        try:
            cgroup.make()
            start = Start(words, command.environment(unified=cgroup.unified is not None))
            return trial.said(self.spawner, start, cgroup)
        finally:
            cgroup.end()
            _remove_places(name)

    def _is_all_it_missed(self, said: str) -> bool:
        return f"execv({trial.NO_COMMAND}) failed" in said

    def _cgroup(self, launch: Launch) -> Cgroup:
        return self._in_every_hierarchy(launch.record.mark, launch.workload.resources)

    def _in_every_hierarchy(self, mark: str, resources: Resources) -> Cgroup:
        """Where systemd-nspawn starts, also in the hierarchies in which it makes `payload` and `supervisor` below."""
        cgroup = self.tree.cgroup(mark, resources)
        if "systemd" in self.tree.folders:
            cgroup.directories["systemd"] = str(self.tree.folders["systemd"] / mark)
        return cgroup

    def plan(self, launch: Launch) -> list[Step]:
        words = command.words(launch, self.program.path, merged.place(self.context.home, launch.record), NETNS)
        return [*super().plan(launch), Step("runtime", " ".join(words))]

    def _instance(self, launch: Launch, means: Means) -> NspawnInstance:
        links.refuse("systemd-nspawn", means.tree, _MOUNTED)  # -v it looks up within the image
        return NspawnInstance(launch, means, self.program, self._bridge.join(launch))

    def _end(self, record: Record) -> None:
        """What stays in /run after a SIGKILL; the processes are ended by the cgroup, before the tree is unmounted."""
        _remove_places(record.mark)
        super()._end(record)


def _remove_places(machine: str) -> None:
    """Remove the directory by which systemd-nspawn would hand mounts to a container that runs. Idempotent."""
    shutil.rmtree(_KEPT / "propagate" / machine, ignore_errors=True)
