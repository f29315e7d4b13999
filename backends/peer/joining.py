"""What the backends have in common whose peer joins a network namespace of ours, and enters every cgroup hierarchy."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from isoscope.backends.launcher.cgroups import Cgroup, Tree
from isoscope.backends.peer.backend import PeerBackend
from isoscope.backends.peer.bridge import Bridge
from isoscope.backends.peer.hierarchies import widened
from isoscope.backends.peer.memory import Memory
from isoscope.backends.peer.program import Program, first_line
from isoscope.core.backend import Context, Lack, Step
from isoscope.core.errors import IsoscopeError
from isoscope.core.host.scratch import abandoned, new_name, scratch
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.workload import Network

#: Stands in a plan for what is made with the instance.
NETNS = "NETNS"


class JoiningBackend(PeerBackend):
    """Whether it works here is found out by making a container with nothing to run, once."""

    command: ClassVar[str]  #: the peer's own
    hierarchies: ClassVar[str]  #: the cgroups that it needs, as what is to be done to have them

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._bridge = Bridge(context.home)
        self._lacks: list[Lack] | None = None

    @cached_property
    def tree(self) -> Tree:
        return widened(Tree.discover())

    @property
    @abstractmethod
    def program(self) -> Program:
        """The peer's. Raises BackendUnavailable, and HostError for one that is too old, or something else."""

    @abstractmethod
    def _try(self, name: str, directory: Path) -> str:
        """What the peer says of `trial.NO_COMMAND`, in a container of that name with nothing in it.

        `directory` is an empty one to work in. Raises IsoscopeError or OSError.
        """

    @abstractmethod
    def _is_all_it_missed(self, said: str) -> bool:
        """Whether it found nothing wrong but the command."""

    def lacks(self) -> list[Lack]:
        if self._lacks is None:
            self._lacks = super().lacks() or self._tried()
        return self._lacks

    def _tried(self) -> list[Lack]:
        try:
            program = self.program.path
        except IsoscopeError as error:
            return [Lack(error.message, error.hint)]
        memory = Memory(self.context)
        if memory.worked([program], self.name):
            return []
        lacks = self._try_now()
        if not lacks:
            memory.keep([program], self.name)
        return lacks

    def _try_now(self) -> list[Lack]:
        for path in (path for folder in self.tree.folders.values() for path in abandoned(folder)):
            Cgroup({path.name: str(path)}).end()  # of one that was killed while it tried
        try:
            with scratch(self.context.home) as directory:
                said = self._try(new_name(), directory)
        except IsoscopeError as error:
            return [Lack(error.message, error.hint)]
        except OSError as error:
            return [Lack(f"{self.context.home} cannot be written: {error.strerror}", "set ISOSCOPE_HOME")]
        if self._is_all_it_missed(said):
            return []
        remedy = f"mount {self.hierarchies}" if "cgroup" in said else "run as root of the host, not of a container"
        return [Lack(f"{self.command} cannot make a container here: {first_line(said) or 'it says nothing'}", remedy)]

    def plan(self, launch: Launch) -> list[Step]:
        made = [Step("network", "a network namespace with eth0 on the bridge: NETNS")]
        return [*super().plan(launch), *(made if launch.workload.network is Network.BRIDGE else [])]

    def _end(self, record: Record) -> None:
        self._bridge.release(record)

    def sweep(self, live: list[Record]) -> list[str]:
        return super().sweep(live) + self._bridge.sweep(live)

    def close(self) -> None:
        self._bridge.close()
        super().close()
