"""The backend `process`: the image's command as a plain process of the host, the baseline of every comparison."""

from __future__ import annotations

import os
from functools import cached_property
from typing import ClassVar

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.cgroups import Cgroup, Tree
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.process import Clone
from isoscope.backends.process import rootfs
from isoscope.backends.process.instance import ProcessInstance, plan
from isoscope.core import backend
from isoscope.core.backend import Backend, Context, Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import InputError, InstanceFailed
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option
from isoscope.core.workload import Network, Resources


class ProcessBackend(Backend):
    """Chroot and exec, and nothing that isolates: the host's processes, network and devices are the command's, too.

    The tree is the same overlay that a container has, so that both read from the same storage; it is mounted before
    the clock starts. A cgroup without limits tracks what the command starts. `Network.NONE` is accepted because it is
    what a workload has that asks for nothing, and is not enforced: the proof says `network: host`.
    """

    name: ClassVar[str] = "process"
    summary: ClassVar[str] = "a plain process, no isolation: the baseline"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION,)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._launcher = Launcher("isoscope.backends.launcher.process", "isoscope.backends.launcher.mounts")

    @cached_property
    def _tree(self) -> Tree:
        return Tree.discover()

    def lacks(self) -> list[Lack]:
        if os.geteuid() != 0:
            return [Lack("chroot and mount need root", "sudo isoscope ...")]
        return []

    def plan(self, launch: Launch) -> list[backend.Step]:
        cgroup, root = self._cgroup(launch), merged.place(self.context.home, launch.record)
        before = [*cgroup.steps(), *rootfs.steps(launch, self.context.home)]
        made = [backend.Step("create", step.describe()) for step in before]
        return made + plan(launch, cgroup, str(root)).steps()

    def create(self, launch: Launch) -> Instance:
        for mount in launch.workload.mounts:
            if len(mount.target.parts) == 1:
                raise InputError("a host directory cannot be shown as the root", hint="choose another target for -v")
        volume.check(launch)
        record, cgroup = launch.record, self._cgroup(launch)
        root = merged.place(self.context.home, record)
        self._launcher.spawn()
        self._tree.prepare(cgroup)
        record.claim(cgroups=cgroup.directories, root=str(root))
        try:
            merged.make(launch, self.context.home)
            cgroup.make()
            self._mount(launch)
            return ProcessInstance(launch, self._launcher, cgroup, str(root), self.reclaim)
        except BaseException:
            self.reclaim(record)
            raise

    def _cgroup(self, launch: Launch) -> Cgroup:
        return self._tree.cgroup(launch.record.mark, Resources())

    def _mount(self, launch: Launch) -> None:
        started = self._launcher.launch(
            Request(Clone(), [("create", rootfs.steps(launch, self.context.home))], ("mount",)), {}
        )
        ended = os.waitid(os.P_PIDFD, started.pidfd, os.WEXITED)
        os.close(started.pidfd)
        if ended is None or ended.si_status:
            raise InstanceFailed("the process that mounts the tree was killed", hint="see whether memory is short")

    def reclaim(self, record: Record) -> None:
        Cgroup.recorded(record.resources.get("cgroups"), record.mark).end()
        merged.remove(record, self.context.home)

    def sweep(self, live: list[Record]) -> list[str]:
        merged.clean(self.context.home)
        return self._tree.sweep(live)

    def close(self) -> None:
        self._launcher.close()
        self._tree.clean()
        merged.clean(self.context.home)
