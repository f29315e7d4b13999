"""Whether the kernel killed in a cgroup that is gone before it can be asked; cgroup-v1/memory.rst, "OOM Control"."""

from __future__ import annotations

import os
from contextlib import suppress

from isoscope.core.pump import Pump


class OomWatch:
    """Hears of a cgroup of version 1 that runs out of memory.

    conmon is to leave a file about that, and with the hybrid layout leaves none. In version 2 a cgroup above counts it.
    """

    def __init__(self, directory: str, pump: Pump) -> None:
        self.seen = False
        self._pump = pump
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._control = -1
        with suppress(OSError):  # it has ended already
            self._control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            target = os.open(f"{directory}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(target, f"{self._event} {self._control}".encode())
            finally:
                os.close(target)
        pump.add(self._event, self._heard)

    def _heard(self) -> None:
        times = os.eventfd_read(self._event)
        # The cgroup's end is an event, too: then it cannot be read any more.
        with suppress(OSError):
            os.pread(self._control, 1, 0)
            times += 1
        self.seen = self.seen or times > 1

    def close(self) -> None:
        """Listen no more."""
        self._pump.remove(self._event)
        os.close(self._event)
        if self._control >= 0:
            os.close(self._control)
