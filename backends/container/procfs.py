"""What is hidden or read-only in /proc and /sys: the paths that Docker and containerd give to OCI runtimes."""

from __future__ import annotations

import os

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)

READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_CLONE = linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC


def maskable() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files and the directories among what is to be masked that this kernel has, now."""
    files = tuple(path for path in MASKED if os.path.isfile(path))
    return files, tuple(path for path in MASKED if os.path.isdir(path))


class MaskPaths(Step):
    """Hide files behind /dev/null, and directories behind an empty one."""

    files: tuple[str, ...]
    directories: tuple[str, ...]

    def describe(self) -> str:
        return f"hide {', '.join((*self.files, *self.directories))}"

    def execute(self, scene: Scene) -> None:
        for path in self.files:
            self._cover(path, "/dev/null")
        for path in self.directories[:1]:
            flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
            syscalls.mount("tmpfs", path, "tmpfs", flags, "size=0,mode=755")
        for path in self.directories[1:]:
            self._cover(path, self.directories[0])

    def _cover(self, path: str, by: str) -> None:
        tree = syscalls.open_tree(by, _CLONE)
        try:
            syscalls.move_mount(tree, path)
        except FileNotFoundError:  # a kernel module has taken it away since
            return
        finally:
            os.close(tree)


class ReadOnlyPaths(Step):
    """Show parts of /proc read-only; what the kernel lacks is passed over."""

    paths: tuple[str, ...] = READ_ONLY

    def describe(self) -> str:
        return f"bind {', '.join(self.paths)} read-only"

    def execute(self, scene: Scene) -> None:
        for path in self.paths:
            try:
                tree = syscalls.open_tree(path, _CLONE | linux.AT_RECURSIVE)
            except FileNotFoundError:
                continue
            syscalls.mount_setattr(tree, linux.AT_RECURSIVE, linux.MOUNT_ATTR_RDONLY)
            syscalls.move_mount(tree, path)
            os.close(tree)
