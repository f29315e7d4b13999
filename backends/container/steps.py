"""Every step that the launcher must know for containers, and what it does for all of them as it starts."""

from isoscope.backends.container import caps, devices, limits, namespaces, once, procfs, seccomp
from isoscope.backends.launcher import files, mounts, process

__all__ = ["at_start", "caps", "devices", "files", "limits", "mounts", "namespaces", "process", "procfs", "seccomp"]


def at_start() -> None:
    """Called by the launcher before it serves."""
    once.attempt(caps.drop_bounding_set, limits.take_defaults)
