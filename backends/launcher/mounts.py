"""Steps that mount. Targets are paths in the new root: before `PivotRoot` only `Overlay`, `OpenTree` and `NewTree` may
be used.
"""

from __future__ import annotations

import errno
import os

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

_S_IFMT, _S_IFDIR, _S_IFLNK = 0o170000, 0o040000, 0o120000  # inode(7)

_ATTRIBUTES = {
    linux.MOUNT_ATTR_RDONLY: "ro",
    linux.MOUNT_ATTR_NOSUID: "nosuid",
    linux.MOUNT_ATTR_NODEV: "nodev",
    linux.MOUNT_ATTR_NOEXEC: "noexec",
}


def flags_text(flags: int) -> str:
    """Mount flags or attributes in mount(8)'s words; the lowest four bits are the same in both."""
    return ",".join(word for bit, word in _ATTRIBUTES.items() if flags & bit) or "rw"


def make_target(path: str, *, directory: bool) -> None:
    """Make a mount point and the directories above it, below whatever "/" is now. What is there already is kept.

    A symbolic link that leads nowhere has what it names made for it.
    """
    make = _make_directory if directory else _make_file
    try:
        make(path)
    except FileExistsError:
        if not os.path.exists(path):
            make_target(os.path.realpath(path), directory=directory)
    except FileNotFoundError:
        parent = path.rpartition("/")[0]
        if not parent:
            raise
        make_target(parent, directory=True)
        make(path)


def _make_directory(path: str) -> None:
    os.mkdir(path, 0o755)


def _make_file(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


def is_directory(file: str | int) -> bool:
    """Whether a path or descriptor is of a directory."""
    return os.stat(file).st_mode & _S_IFMT == _S_IFDIR


def refuse_link(path: str) -> None:
    """Raise OSError when a path is a symbolic link."""
    if os.lstat(path).st_mode & _S_IFMT == _S_IFLNK:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


class MakePrivate(Step):
    """Keep what is mounted from now on from being seen outside, and the other way round."""

    def describe(self) -> str:
        return "mount / private, recursively"

    def execute(self, scene: Scene) -> None:
        syscalls.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)


class Overlay(Step):
    """An overlay of the image's layers with an upper layer of the instance's own.

    Directories are given to the kernel as /proc/self/fd/N: mount(2) takes one page of options, which full paths of
    a few dozen layers would not fit, and such a name needs no escaping.
    """

    source: str  #: shown in mountinfo: tells whose mount it is
    layers: tuple[str, ...]  #: lowest first
    upper: str
    work: str
    target: str
    options: str = ""

    def describe(self) -> str:
        layers = ":".join(reversed(self.layers))
        more = f",{self.options}" if self.options else ""
        return (
            f"mount overlay on {self.target} nodev (lowerdir={layers},upperdir={self.upper},workdir={self.work}{more})"
        )

    def execute(self, scene: Scene) -> None:
        paths = [*reversed(self.layers), self.upper, self.work]
        fds: list[int] = []
        try:
            fds.extend(os.open(path, linux.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in paths)
            *lower, upper, work = (f"/proc/self/fd/{fd}" for fd in fds)
            data = f"lowerdir={':'.join(lower)},upperdir={upper},workdir={work}"
            if self.options:
                data += f",{self.options}"
            syscalls.mount(self.source, self.target, "overlay", linux.MS_NODEV, data)
        finally:
            for fd in fds:
                os.close(fd)


class OpenTree(Step):
    """Take a copy of a mount of the host, to be attached later under the new root."""

    source: str
    target: str
    attributes: int = 0
    private: bool = False  #: whether to keep what happens to it here from the original; `MakePrivate` does it for all

    def describe(self) -> str:
        return f"open_tree {self.source} (rbind {flags_text(self.attributes)})"

    def execute(self, scene: Scene) -> None:
        flags = linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC | linux.AT_RECURSIVE
        scene.trees[self.target] = tree = syscalls.open_tree(self.source, flags)
        if self.attributes or self.private:
            propagation = linux.MS_PRIVATE if self.private else 0
            syscalls.mount_setattr(tree, linux.AT_RECURSIVE, self.attributes, propagation)


class NewTree(Step):
    """A new file system, to be attached later under the new root.

    For proc and sysfs: in a user namespace the kernel makes them only while the host's own are still in sight.
    """

    fstype: str
    target: str
    attributes: int

    def describe(self) -> str:
        return f"fsopen {self.fstype}, fsmount {flags_text(self.attributes)}"

    def execute(self, scene: Scene) -> None:
        context = syscalls.fsopen(self.fstype, linux.FSOPEN_CLOEXEC)
        try:
            syscalls.fsconfig(context, linux.FSCONFIG_CMD_CREATE)
            scene.trees[self.target] = syscalls.fsmount(context, linux.FSMOUNT_CLOEXEC, self.attributes)
        finally:
            os.close(context)


class AttachTree(Step):
    """Attach a mount that `OpenTree` or `NewTree` has made for a target, which is made when it is missing."""

    target: str
    follow: bool = True  #: whether the target may be a symbolic link

    def describe(self) -> str:
        return f"move_mount {self.target}"

    def execute(self, scene: Scene) -> None:
        tree = scene.trees.pop(self.target)
        make_target(self.target, directory=is_directory(tree))
        if not self.follow:
            refuse_link(self.target)
        syscalls.move_mount(tree, self.target, flags=linux.MOVE_MOUNT_T_SYMLINKS)
        os.close(tree)


class PivotRoot(Step):
    """Make a mount the root, and let go of the host's file systems.

    At once: as long as the old root is stacked on the new one, a `..` at the top leads there, and any link in the image
    may hold one.
    """

    root: str

    def describe(self) -> str:
        return f"chdir {self.root}, pivot_root . ., umount2 the old root (MNT_DETACH)"

    def execute(self, scene: Scene) -> None:
        os.chdir(self.root)
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", linux.MNT_DETACH)
        os.chdir("/")


class MountFilesystem(Step):
    """A new file system, on a directory that is not a symbolic link."""

    fstype: str
    target: str
    flags: int
    data: str = ""

    def describe(self) -> str:
        data = f" ({self.data})" if self.data else ""
        return f"mount {self.fstype} on {self.target} {flags_text(self.flags)}{data}"

    def execute(self, scene: Scene) -> None:
        make_target(self.target, directory=True)
        refuse_link(self.target)
        syscalls.mount(self.fstype, self.target, self.fstype, self.flags, self.data)
