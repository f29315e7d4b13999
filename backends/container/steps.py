"""Every step that the launcher must know for containers."""

from isoscope.backends.container import caps, devices, namespaces, procfs, seccomp
from isoscope.backends.launcher import files, mounts, process

__all__ = ["caps", "devices", "files", "mounts", "namespaces", "process", "procfs", "seccomp"]
