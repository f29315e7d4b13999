"""Steps of the phase `network`, which are ours: the launcher knows nothing of netlink."""

from __future__ import annotations

from collections.abc import Callable

from isoscope.backends.launcher.step import Scene, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class MakeNetworkNamespace(Step):
    """A network namespace, before there is a process to be in it."""

    make: Callable[[], int]

    def describe(self) -> str:
        return "unshare CLONE_NEWNET, in the launcher, and keep a descriptor of it"

    def execute(self, scene: Scene) -> None:
        scene.fds["netns"] = self.make()


class ConnectNetwork(Step):
    """The device `eth0` in the namespace, with its address."""

    connect: Callable[[int], Any]
    how: str  #: in words

    def describe(self) -> str:
        return self.how

    def execute(self, scene: Scene) -> None:
        self.connect(scene.fds["netns"])
