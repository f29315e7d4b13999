"""A container that runs, or did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from isoscope.backends.container import plan, storage
from isoscope.backends.container.plan import PHASES, Terms
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.client import Launcher, Phases, Started
from isoscope.backends.launcher.instance import LaunchedInstance
from isoscope.backends.launcher.plan import Command
from isoscope.backends.launcher.process import Clone
from isoscope.backends.network import Lease
from isoscope.core.instance import Connection
from isoscope.core.launch import Launch


class ContainerInstance(LaunchedInstance):
    """One container. Its command is process 1 of its pid namespace: when it ends, the kernel ends all others.

    As with runc, the kernel keeps from process 1 every signal that it has no handler for, but SIGKILL and SIGSTOP.
    """

    phases = PHASES

    def __init__(
        self, launch: Launch, launcher: Launcher, terms: Terms, release_network: Callable[[], None] | None
    ) -> None:
        super().__init__(launch, launcher, terms.cgroup, plan.build(launch, terms))
        self._terms, self._release_network = terms, release_network

    def _on_cloned(self) -> Callable[[int], None] | None:
        maps = self._terms.maps
        return maps.write if maps is not None and maps.many else None

    def _launch_exec(self, command: Command, fds: Mapping[str, int]) -> Started:
        assert self._task is not None
        with self._task.descriptor() as target:
            return super()._launch_exec(command, {**fds, "target": target})

    def _exec_plan(self, command: Command) -> tuple[Clone, Phases]:
        return plan.execution(self.launch, self._terms, command)

    def backing(self, path: str) -> Path:
        return volume.backing(self.launch, storage.upper(self.record.directory), path)

    def proof(self) -> dict[str, str]:
        return {**super().proof(), **volume.proof(self.launch)} if self._proof else {}

    def connection(self) -> Connection | None:
        return Lease.connection(self.record)

    def _delete(self) -> None:
        self._end_first_process()
        self._cgroup.remove()
        if self._release_network is not None:
            self._release_network()
        storage.remove(self.record, self._terms.maps, self._launcher)
