"""The backend `bubblewrap`: bwrap(1) makes the namespaces, we the tree and the cgroup around it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from isoscope.backends.bubblewrap.arguments import arguments, refuse_links
from isoscope.backends.bubblewrap.instance import BubblewrapInstance
from isoscope.backends.container import profile
from isoscope.backends.launcher import merged, volume
from isoscope.backends.peer.backend import PeerBackend
from isoscope.backends.peer.entering import Entrance
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.program import Program
from isoscope.core.backend import Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import Unsupported
from isoscope.core.launch import Launch
from isoscope.core.variant import Option
from isoscope.core.workload import Network


class BubblewrapBackend(PeerBackend):
    """bubblewrap, on the terms of our own containers as far as it has words for them.

    It has none for another network than none and the host's, nor for another user than the caller. A second command
    enters the namespaces without it, as bwrap's users do with nsenter(1).
    """

    name: ClassVar[str] = "bubblewrap"
    summary: ClassVar[str] = "bwrap, the sandbox of Flatpak: namespaces by it, cgroup by us"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION,)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    @cached_property
    def program(self) -> Program:
        """The program. Raises BackendUnavailable."""
        return Program.find("bwrap", remedy="apt install bubblewrap")

    @cached_property
    def _seccomp(self) -> bytes:
        return profile.required(profile.program, self.context.home / "cache")

    @cached_property
    def _entrance(self) -> Entrance:
        return Entrance(self._seccomp)

    def check(self, options: Mapping[str, str]) -> None:
        _ = self.program

    def plan(self, launch: Launch) -> list[Step]:
        words = arguments(launch, merged.place(self.context.home, launch.record))
        return [*super().plan(launch), Step("runtime", " ".join([self.program.path, *words, *launch.workload.command]))]

    def _instance(self, launch: Launch, means: Means) -> BubblewrapInstance:
        if launch.rootfs.user not in ("", "0", "root"):
            raise Unsupported(
                f"bubblewrap cannot become the image's user {launch.rootfs.user!r}", hint="take another backend"
            )
        refuse_links(launch, means.tree)
        return BubblewrapInstance(launch, means, self.program, self._seccomp, self._entrance)

    def close(self) -> None:
        if "_entrance" in vars(self):
            self._entrance.close()
        super().close()
