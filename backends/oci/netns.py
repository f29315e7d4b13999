"""The network namespace that a runtime is told to join: made and connected by us when the clock runs, named before."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from isoscope.backends.launcher.client import Launcher
from isoscope.backends.peer.spawn import lent


class NetworkNamespace:
    """A path below /proc that will lead to the namespace: of a descriptor whose number is kept until then."""

    def __init__(self, launcher: Launcher, connect: Callable[[int], Any]) -> None:
        self._launcher, self._connect = launcher, connect
        launcher.spawn()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._fd = lent(null)
        finally:
            os.close(null)

    @property
    def path(self) -> str:
        """For config.json."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def make(self) -> None:
        """Make it, with its `eth0`. Raises what the connection raises."""
        made = self._launcher.network_namespace()
        try:
            self._connect(made)
            os.dup2(made, self._fd, inheritable=False)
        finally:
            os.close(made)

    def close(self) -> None:
        """Let go of it: it lives on as long as anything runs in it. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
