"""The backend `lxc`: lxc-start(1) makes the container and its cgroups, we the tree."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.lxc import config, monitor
from isoscope.backends.lxc.groups import Groups
from isoscope.backends.lxc.instance import LxcInstance, words
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
from isoscope.core.workload import Network

_INSTALL = "apt-get install --no-install-recommends lxc"
_OLDEST = 5  # the first with lxc.cgroup.dir.monitor.pivot
_MOUNTED = ("/dev", "/proc", "/sys")
_VERSION = re.compile(r"(\d+)\.\d+(\.\d+)?\S*", re.ASCII)


class LxcBackend(JoiningBackend):
    """LXC, by its command lxc-start, on the terms of its common.conf.

    There is no second command: lxc-attach(1) says of one that a signal has ended, or that does not exist, a status with
    which it could have ended as well. There is no terminal: lxc-start keeps that for consoles.
    """

    name: ClassVar[str] = "lxc"
    summary: ClassVar[str] = "lxc-start, a container of LXC's: namespaces and cgroups by it"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION,)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST, Network.BRIDGE}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        pause=True,
        stats=True,
    )
    makes_cgroup: ClassVar[bool] = True

    command: ClassVar[str] = "lxc-start"
    hierarchies: ClassVar[str] = "cgroup version 2 at /sys/fs/cgroup, or every controller of version 1 below it"

    @cached_property
    def program(self) -> Program:
        """lxc-start. Raises BackendUnavailable, and HostError for one that is too old, or something else."""
        program = Program.find("lxc-start", remedy=_INSTALL)
        version = _VERSION.fullmatch(program.version)
        if version is None:
            raise HostError(f"{program.path} is not LXC's: it says {program.version!r}", hint=_INSTALL)
        if int(version[1]) < _OLDEST:
            raise HostError(f"LXC {program.version} is too old: {_OLDEST}.0 is the oldest that will do", hint=_INSTALL)
        return program

    def _try(self, name: str, directory: Path) -> str:
        program, file, groups = self.program, directory / "lxc.conf", self._groups(name, directory)
        if not config.COMMON.exists():
            raise HostError(f"LXC's own terms for containers are missing: {config.COMMON}", hint=_INSTALL)
        self.tree.prepare(groups.whole())
        (directory / "root").mkdir()
        file.write_text("\n".join([*config.terms(name, directory / "root", groups), "lxc.net.0.type = empty", ""]))
        words = (program.path, "--foreground", f"--lxcpath={directory}", f"--name={name}", f"--rcfile={file}")
        try:
            return trial.said(self.spawner, Start((*words, "--", trial.NO_COMMAND)), None)
        finally:
            groups.whole().end()
            monitor.remove(directory, name, self.context.home)

    def _is_all_it_missed(self, said: str) -> bool:
        return f'Failed to exec "{trial.NO_COMMAND}"' in said

    def _groups(self, mark: str, directory: Path) -> Groups:
        return Groups(self.tree, mark, directory / "memory.oom_control")

    def _cgroup(self, launch: Launch) -> Cgroup:
        self.tree.cgroup(launch.record.mark, launch.workload.resources)  # refuses a limit that has no controller here
        return self._groups(launch.record.mark, launch.record.directory).whole()

    def plan(self, launch: Launch) -> list[Step]:
        root = merged.place(self.context.home, launch.record)
        lines = config.text(launch, root, self._groups(launch.record.mark, launch.record.directory), NETNS).splitlines()
        said = [Step("create", f"write {line!r} to lxc.conf") for line in lines]
        return [*said, *super().plan(launch), Step("runtime", " ".join(words(launch, self.program.path)))]

    def _instance(self, launch: Launch, means: Means) -> LxcInstance:
        links.refuse("LXC", means.tree, [*_MOUNTED, launch.working_directory(), *config.targets(launch)])
        groups = self._groups(launch.record.mark, launch.record.directory)
        return LxcInstance(launch, means, self.program, groups, self._bridge.join(launch))

    def _end(self, record: Record) -> None:
        """What stays in /run; the processes are ended by the cgroups, before the tree is unmounted."""
        monitor.remove(record.directory, record.mark, self.context.home)
        super()._end(record)
