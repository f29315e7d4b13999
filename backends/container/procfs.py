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


class MaskPaths(Step):
    """Hide files behind /dev/null, and directories behind an empty one; what the kernel lacks is passed over."""

    paths: tuple[str, ...] = MASKED

    def describe(self) -> str:
        return f"hide {', '.join(self.paths)}"

    def execute(self, scene: Scene) -> None:
        empty: list[str] = []
        for path in self.paths:
            try:
                is_directory = os.stat(path).st_mode & 0o170000 == 0o040000
            except FileNotFoundError:
                continue
            if not is_directory:
                self._cover(path, "/dev/null")
            elif empty:
                self._cover(path, empty[0])
            else:
                flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
                syscalls.mount("tmpfs", path, "tmpfs", flags, "size=0,mode=755")
                empty.append(path)

    def _cover(self, path: str, by: str) -> None:
        tree = syscalls.open_tree(by, _CLONE)
        syscalls.move_mount(tree, path)
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
