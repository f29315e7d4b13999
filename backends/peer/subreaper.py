"""Processes that a peer leaves behind become our children, so that their end is seen; PR_SET_CHILD_SUBREAPER, prctl(2).

For as short as can be: whatever other parts of this process orphan meanwhile comes to us, too, and stays a zombie.
"""

from __future__ import annotations

import threading

from isoscope.backends.launcher import syscalls

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

_lock = threading.Lock()
_count = 0


def begin() -> None:
    """Adopt, until everybody who has asked for it says `end`."""
    _change(1)


def end() -> None:
    """Adopt no more, but for others who asked."""
    _change(-1)


def _change(by: int) -> None:
    global _count  # the kernel's setting is the process's, too
    with _lock:
        before, _count = _count, _count + by
        if bool(before) != bool(_count):
            syscalls.prctl(_PR_SET_CHILD_SUBREAPER, int(bool(_count)))
