"""Defaults for what the caller may have set oddly; setrlimit(2), proc_pid_oom_score_adj(5)."""

from __future__ import annotations

import os
import resource

from isoscope.backends.container import once
from isoscope.backends.launcher.step import Scene, Step
from isoscope.backends.launcher.users import read

_NOFILE_SOFT, _NOFILE_HARD = 1024, 524288  # systemd's defaults for services, systemd.exec(5)


class ResourceLimits(Step):
    """Take the defaults."""

    def describe(self) -> str:
        return f"RLIMIT_NOFILE {_NOFILE_SOFT}:{_NOFILE_HARD} at most, RLIMIT_CORE 0, oom_score_adj 0 at least"

    def execute(self, scene: Scene) -> None:
        if not once.done(take_defaults):
            take_defaults()


def defaults() -> dict[str, tuple[int, int]]:
    """The soft and the hard limit by name; hard ones are the caller's, or lower where those are higher than usual."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = _NOFILE_HARD if hard == resource.RLIM_INFINITY else min(hard, _NOFILE_HARD)
    return {
        "RLIMIT_NOFILE": (min(_NOFILE_SOFT, hard), hard),
        "RLIMIT_CORE": (0, resource.getrlimit(resource.RLIMIT_CORE)[1]),
    }


def take_defaults() -> None:
    """Take them for the caller itself. Raises OSError."""
    for name, limits in defaults().items():
        resource.setrlimit(getattr(resource, name), limits)
    # A service manager may have shielded the caller from the OOM killer; what it runs is not to be shielded.
    if read("/proc/self/oom_score_adj").startswith("-"):
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"0")
        os.close(fd)
