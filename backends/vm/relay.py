"""A command's output on its way to the caller's descriptors."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from isoscope.core.output import Stdio


def relay(stdio: Stdio) -> Callable[[str, bytes, int], None]:
    """What writes a piece of `stdout` or `stderr` to the caller; the moment at which it came does not matter to it."""
    onward = {"stdout": stdio.stdout, "stderr": stdio.stderr}

    def write(stream: str, data: bytes, _at_ns: int) -> None:
        fd = onward[stream]
        while fd is not None and data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                select.select([], [fd], [])
            except OSError:  # whoever listened has gone
                onward[stream] = fd = None

    return write
