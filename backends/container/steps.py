"""Every step that the launcher must know for containers."""

from isoscope.backends.container import caps, devices, namespaces, procfs, seccomp
from isoscope.backends.launcher import mounts, process

__all__ = ["caps", "devices", "mounts", "namespaces", "process", "procfs", "seccomp"]
