"""The backend `bubblewrap`: bwrap(1) makes the namespaces, we the tree and the cgroup around it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from isoscope.backends.bubblewrap.arguments import arguments
from isoscope.backends.bubblewrap.instance import BubblewrapInstance
from isoscope.backends.container import profile
from isoscope.backends.launcher import volume
from isoscope.backends.peer.backend import PeerBackend
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

    It has none for another network than none and the host's, for another user than the caller, and for a second
    command inside.
    """

    name: ClassVar[str] = "bubblewrap"
    summary: ClassVar[str] = "bwrap, the sandbox of Flatpak: namespaces by it, cgroup by us"
    options: ClassVar[tuple[Option, ...]] = (volume.OPTION,)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST}),
        limits=frozenset({"cpus", "memory", "pids"}),
        mounts=True,
        terminal=True,
        pause=True,
        stats=True,
    )

    @cached_property
    def program(self) -> Program:
        """The program. Raises BackendUnavailable."""
        return Program.find("bwrap", remedy="apt install bubblewrap")

    def check(self, options: Mapping[str, str]) -> None:
        _ = self.program

    def plan(self, launch: Launch) -> list[Step]:
        words = arguments(launch, str(self.context.home / "mounts" / launch.record.mark))
        return [*super().plan(launch), Step("runtime", " ".join([self.program.path, *words, *launch.workload.command]))]

    def _instance(self, launch: Launch, means: Means) -> BubblewrapInstance:
        if launch.rootfs.user not in ("", "0", "root"):
            raise Unsupported(
                f"bubblewrap cannot become the image's user {launch.rootfs.user!r}", hint="take another backend"
            )
        return BubblewrapInstance(launch, means, self.program, profile.program(self.context.home / "cache"))
