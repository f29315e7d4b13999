"""A plain process of the host in the image's tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from isoscope.backends.launcher import merged, volume
from isoscope.backends.launcher.accounts import account
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.client import Launcher, Phases
from isoscope.backends.launcher.instance import LaunchedInstance
from isoscope.backends.launcher.plan import Command, Plan
from isoscope.backends.launcher.process import (
    AwaitWord,
    ChangeRoot,
    Clone,
    CloseDescriptors,
    JoinCgroups,
    NewSession,
    Settled,
    SetUser,
    WorkingDirectory,
)
from isoscope.backends.launcher.step import Step
from isoscope.core.launch import Launch
from isoscope.core.registry import Record

#: Releases everything that was made for an instance.
Release = Callable[[Record], None]

PHASES = ("exec", "ready")


def plan(launch: Launch, cgroup: Cgroup, root: str) -> Plan:
    """The plan of the start; the tree and the cgroup, which only tracks, are made before it."""
    become = _become(launch, root, Command.of(launch))
    steps = [*_join(cgroup), Settled(), *become, AwaitWord(), Command.of(launch).execute(launch)]
    return Plan([], clone(cgroup), [("exec", steps)])


def clone(cgroup: Cgroup) -> Clone:
    """A clone without namespaces."""
    return Clone((), cgroup.unified is not None)


def execution(launch: Launch, cgroup: Cgroup, root: str, command: Command) -> Phases:
    """The phases of a second command in the tree."""
    return [("exec", [*_join(cgroup), *_become(launch, root, command), command.execute(launch)])]


def _join(cgroup: Cgroup) -> list[Step]:
    return [JoinCgroups(cgroup.legacy)] if cgroup.legacy else []


def _become(launch: Launch, root: str, command: Command) -> list[Step]:
    return [
        ChangeRoot(root),
        NewSession(),
        command.streams(console=False),
        CloseDescriptors(),
        WorkingDirectory(launch.working_directory()),
        SetUser(launch.rootfs.user, known=account(launch.rootfs)),
    ]


class ProcessInstance(LaunchedInstance):
    """One process, and whatever it starts."""

    phases = PHASES

    def __init__(self, launch: Launch, launcher: Launcher, cgroup: Cgroup, root: str, release: Release) -> None:
        super().__init__(launch, launcher, cgroup, plan(launch, cgroup, root))
        self._root, self._release = root, release

    def _exec_plan(self, command: Command) -> tuple[Clone, Phases]:
        return clone(self._cgroup), execution(self.launch, self._cgroup, self._root, command)

    def backing(self, path: str) -> Path:
        return volume.backing(self.launch, merged.upper(self.record), path)

    def proof(self) -> dict[str, str]:
        return {**super().proof(), "network": "host", **volume.proof(self.launch)} if self._proof else {}

    def _delete(self) -> None:
        self._end_first_process()
        self._release(self.record)
