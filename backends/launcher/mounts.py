"""Steps that mount. Targets are paths in the new root: before `PivotRoot` only `Overlay` and `OpenTree` may be used."""

from __future__ import annotations

import errno
import os

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

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
    if os.path.islink(path) and not os.path.exists(path):
        path = os.path.realpath(path)
    if directory:
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            return
        except FileNotFoundError:
            _make_parent(path)
            os.mkdir(path, 0o755)
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_parent(path)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))


def _make_parent(path: str) -> None:
    parent = path.rpartition("/")[0]
    if parent:
        make_target(parent, directory=True)


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

    name: str
    source: str
    attributes: int = 0
    recursive: bool = True

    def describe(self) -> str:
        return f"open_tree {self.source} ({'rbind' if self.recursive else 'bind'} {flags_text(self.attributes)})"

    def execute(self, scene: Scene) -> None:
        recursive = linux.AT_RECURSIVE if self.recursive else 0
        tree = syscalls.open_tree(self.source, linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC | recursive)
        scene.trees[self.name] = tree
        if self.attributes:
            syscalls.mount_setattr(tree, recursive, self.attributes)


class AttachTree(Step):
    """Attach a mount that `OpenTree` took, making the mount point when it is missing."""

    name: str
    target: str

    def describe(self) -> str:
        return f"move_mount {self.name} to {self.target}"

    def execute(self, scene: Scene) -> None:
        tree = scene.trees.pop(self.name)
        is_directory = os.fstat(tree).st_mode & 0o170000 == 0o040000
        make_target(self.target, directory=is_directory)
        syscalls.move_mount(tree, self.target, flags=linux.MOVE_MOUNT_T_SYMLINKS)
        os.close(tree)


class PivotRoot(Step):
    """Make a mount the root; the old root stays mounted, out of reach of paths, until `DetachOldRoot`."""

    root: str

    def describe(self) -> str:
        return f"chdir {self.root}, pivot_root . ."

    def execute(self, scene: Scene) -> None:
        os.chdir(self.root)
        syscalls.pivot_root(".", ".")


class DetachOldRoot(Step):
    """Let go of the host's file systems."""

    def describe(self) -> str:
        return "umount2 the old root (MNT_DETACH)"

    def execute(self, scene: Scene) -> None:
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
        if os.lstat(self.target).st_mode & 0o170000 == 0o120000:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        syscalls.mount(self.fstype, self.target, self.fstype, self.flags, self.data)


class SymbolicLink(Step):
    """A symbolic link."""

    text: str
    path: str

    def describe(self) -> str:
        return f"symlink {self.path} -> {self.text}"

    def execute(self, scene: Scene) -> None:
        os.symlink(self.text, self.path)
