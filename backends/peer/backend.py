"""What the backends of peers have in common that are commands of this host."""

from __future__ import annotations

import os
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.cgroups import Cgroup, Tree
from isoscope.backends.launcher.step import Scene
from isoscope.backends.peer.instance import Means, PeerInstance
from isoscope.backends.peer.spawn import Spawner
from isoscope.backends.peer.watch import Watches
from isoscope.core.backend import Backend, Context, Lack, Step
from isoscope.core.errors import HostError, InputError
from isoscope.core.launch import Launch
from isoscope.core.registry import Record


class PeerBackend(Backend):
    """Mounts the tree, makes the cgroup where the peer leaves that to us, and cleans up; the peer does the rest."""

    by_default: ClassVar[bool] = False
    makes_cgroup: ClassVar[bool] = False  #: whether the peer makes the cgroup by itself, where we tell it to

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.watches = Watches()

    @cached_property
    def tree(self) -> Tree:
        """The cgroups of this host."""
        return Tree.discover()

    @cached_property
    def spawner(self) -> Spawner:
        """What starts the peer."""
        return Spawner(self.tree.own)

    def lacks(self) -> list[Lack]:
        if os.geteuid() != 0:
            return [Lack("mounting the image's tree for it needs root", "sudo isoscope ...")]
        if b"\toverlay\n" not in Path("/proc/filesystems").read_bytes():
            return [Lack("the kernel has no overlayfs", "modprobe overlay")]
        return []

    @abstractmethod
    def _instance(self, launch: Launch, means: Means) -> PeerInstance:
        """The instance, whose tree is mounted. What it makes on the host is written to the record first."""

    def _end(self, record: Record) -> None:
        """Have the peer remove what it keeps of an instance; its cgroup and the tree are removed after that."""

    def _claimed(self, launch: Launch) -> Cgroup:
        """Every directory of cgroups that will be made, by us or by the peer."""
        return self._cgroup(launch)

    def _cgroup(self, launch: Launch) -> Cgroup:
        return self.tree.of_threads(launch.record.mark, launch.workload.resources)

    def plan(self, launch: Launch) -> list[Step]:
        steps = [] if self.makes_cgroup else self._cgroup(launch).steps()
        return [Step("create", step.describe()) for step in (*steps, merged.overlay(launch, self.context.home))]

    def create(self, launch: Launch) -> PeerInstance:
        for mount in launch.workload.mounts:
            if len(mount.target.parts) == 1:
                raise InputError("a host directory cannot be shown as the root", hint="choose another target for -v")
        volume.check(launch)
        record, home, cgroup = launch.record, self.context.home, self._cgroup(launch)
        claimed, tree = self._claimed(launch), merged.place(home, record)
        self.tree.prepare(claimed)
        record.claim(cgroups=claimed.directories, root=str(tree))
        try:
            merged.make(launch, home)
            _mount(launch, home)
            if not self.makes_cgroup:
                cgroup.make()
                self.spawner.prepare(cgroup)
            return self._instance(
                launch, Means(tree, cgroup, not self.makes_cgroup, self.spawner, self.watches, self.reclaim)
            )
        except BaseException:
            self.reclaim(record)
            raise

    def reclaim(self, record: Record) -> None:
        self._end(record)
        Cgroup.recorded(record.resources.get("cgroups"), record.mark).end()
        merged.remove(record, self.context.home)

    def sweep(self, live: list[Record]) -> list[str]:
        merged.clean(self.context.home)
        return self.tree.sweep(live)

    def close(self) -> None:
        self.watches.close()
        self.spawner.close()
        self.tree.clean()
        merged.clean(self.context.home)


def _mount(launch: Launch, home: Path) -> None:
    step = merged.overlay(launch, home)
    try:
        step.execute(Scene({}))
    except OSError as error:
        raise HostError(
            f"cannot mount the image's tree: {error.strerror}", hint="isoscope doctor says what this host allows"
        ) from error
