"""Host directories and files that a guest is shown, by virtiofs (https://virtio-fs.gitlab.io).

Each is bound to a place in the VM's own directory first. That keeps it read-only for the guest where it should be,
whoever is root in there; a file, which virtiofs cannot share, gets a directory to be in; and the daemon that serves it
takes its source in a list of options, where nobody's comma can do harm.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from isoscope.backends.launcher import linux, syscalls
from isoscope.core.errors import BackendUnavailable, HostError, Unsupported
from isoscope.core.workload import Mount

_FILE = "file"  #: a shared file's name in its directory; images/guest/init/mounts.c looks for it there
_DIRECTORY = "directory"

#: Where distributions have virtiofsd: beside QEMU up to 7, and in a package of its own since.
_SERVERS = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd")

MOST = 24  #: mounts: what is left of the 32 slots of a PCI bus


@dataclass(frozen=True)
class Share:
    """One mount on its way into the guest."""

    tag: str  #: by which the guest mounts it
    kind: str  #: `file` or `directory`
    directory: Path  #: what the host serves
    mount: Mount

    @property
    def terms(self) -> str:
        """What the guest is told; images/guest/init/configure.c reads it."""
        mode = "ro" if self.mount.read_only else "rw"
        return f"{self.tag}:{mode}:{self.kind}:{self.mount.target}"


def check(mounts: Sequence[Mount]) -> None:
    """Check that there are no more mounts than a machine has slots for, and what serves them.

    Raises Unsupported or BackendUnavailable.
    """
    if len(mounts) > MOST:
        raise Unsupported(f"{len(mounts)} mounts are more than a virtual machine has slots for", hint=f"at most {MOST}")
    if mounts and not any(Path(path).exists() for path in _SERVERS):
        raise BackendUnavailable(
            "virtiofsd, which serves host directories to guests, is not installed", hint="apt-get install virtiofsd"
        )


def plan(mounts: Sequence[Mount], parent: Path) -> tuple[Share, ...]:
    """The shares of a workload, outer targets first, or they would cover the inner ones."""
    ordered = sorted(mounts, key=lambda mount: len(mount.target.parts))
    return tuple(_share(number, mount, parent) for number, mount in enumerate(ordered))


def bind(share: Share) -> None:
    """Put a share in its place. Raises HostError."""
    place = share.directory
    try:
        place.mkdir(parents=True)
        if share.kind == _FILE:
            place /= _FILE
            place.touch()
        flags = linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC | linux.AT_RECURSIVE
        tree = syscalls.open_tree(str(share.mount.source), flags)
        try:
            read_only = linux.MOUNT_ATTR_RDONLY if share.mount.read_only else 0
            syscalls.mount_setattr(tree, linux.AT_RECURSIVE, linux.MOUNT_ATTR_NODEV | read_only, linux.MS_PRIVATE)
            syscalls.move_mount(tree, str(place))
        finally:
            os.close(tree)
    except OSError as error:
        raise HostError(
            f"cannot share {share.mount.source}: {error.strerror}",
            hint="mounting needs root: run as root, or leave out -v",
        ) from error


def release(parent: Path) -> None:
    """Take all shares out of their places. Idempotent.

    What is shared is never looked into, and nothing is removed that the kernel does not take for an empty directory or
    a file of ours: where unmounting fails, it refuses the rest, too, with EBUSY.
    """
    with suppress(FileNotFoundError):
        for place in parent.iterdir():
            if place.name.endswith(_FILE):
                _unmount(place / _FILE)
                with suppress(OSError):
                    (place / _FILE).unlink()
            else:
                _unmount(place)
            with suppress(OSError):
                place.rmdir()
        with suppress(OSError):
            parent.rmdir()


def _share(number: int, mount: Mount, parent: Path) -> Share:
    kind = _DIRECTORY if mount.source.is_dir() else _FILE
    return Share(f"share{number}", kind, parent / f"{number}-{kind}", mount)


def _unmount(place: Path) -> None:
    with suppress(OSError):
        syscalls.umount2(str(place), linux.MNT_DETACH | linux.UMOUNT_NOFOLLOW)
