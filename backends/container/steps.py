"""Every step that the launcher must know for containers."""

from isoscope.backends.container import caps, devices, namespaces, procfs, seccomp
from isoscope.backends.launcher import files, mounts, process

at_start = caps.at_start  #: what the launcher does once, before it serves

__all__ = ["at_start", "caps", "devices", "files", "mounts", "namespaces", "process", "procfs", "seccomp"]
