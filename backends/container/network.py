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


class ConnectToBridge(Step):
    """A pair of veth(4) between the bridge and `eth0` in the namespace, with address and default route."""

    connect: Callable[[int], Any]

    def describe(self) -> str:
        return "connect eth0 to the bridge by a pair of veth; address, default route; lo up"

    def execute(self, scene: Scene) -> None:
        self.connect(scene.fds["netns"])
