"""A virtual machine's disk, made from the same layers that containers use: an ext4 file system without partitions."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from isoscope.core.errors import HostError
from isoscope.core.rootfs import Rootfs
from isoscope.images.faults import host_errors
from isoscope.images.locks import locked, making
from isoscope.images.merged import FAILED
from isoscope.images.reference import is_digest

_BLOCK = 4096
_MIB = 1 << 20
#: Room for what an instance writes, such as the test file of a disk benchmark that is larger than memory. The file is
#: sparse: what is not written takes no space on the host, and the room itself some 2 MiB.
_FREE_BYTES = 32 << 30
_FREE_INODES = 1 << 16
#: Only what a throw-away root needs, whatever mke2fs.conf(5) of the host says. A journal all the same: without one,
#: fdatasync(2) in a guest with Linux 6.1.192 writes the data and does not flush the disk. No checksums and no lazily
#: initialised tables: the guest's kernel would spend its first seconds on them.
_FEATURES = (
    "none,dir_index,dir_nlink,ext_attr,extent,extra_isize,filetype,flex_bg,has_journal,huge_file,large_file,"
    "sparse_super"
)
_JOURNAL = "size=64"  # MiB, as for a disk of a few GiB: it is filled from the beginning, and takes up what was filled


def disk_image(rootfs: Rootfs, home: Path) -> Path:
    """The disk of a root file system, made when there is none for its digest: a raw, sparse, read-only file.

    It has room for 20 % more than the content, and 32 GiB. Raises HostError when mke2fs is missing, the layers cannot
    be stacked, or the disk is full.
    """
    disk = disk_path(rootfs.digest, home)
    if disk.exists():
        return disk
    with host_errors("cannot make a disk"):
        disk.parent.mkdir(parents=True, exist_ok=True)
        with locked(disk.parent / ".make.lock"):
            if not disk.exists():  # no other process was faster
                with making(disk.parent) as scratch:
                    _make(rootfs, scratch).rename(disk)
    return disk


def disk_path(digest: str, home: Path) -> Path:
    """Where the disk for a digest is, or would be. A digest that is not one of ours may be any text."""
    name = digest.replace(":", "-") if is_digest(digest) else f"other-{hashlib.sha256(digest.encode()).hexdigest()}"
    return disks(home) / f"{name}.ext4"


def disks(home: Path) -> Path:
    """The directory of all disks."""
    return home / "cache" / "disks"


def _make(rootfs: Rootfs, scratch: Path) -> Path:
    disk, merged = scratch / "disk", scratch / "merged"
    merged.mkdir()
    (scratch / "empty").mkdir()
    # A read-only overlay needs two layers (Documentation/filesystems/overlayfs.rst); an empty one does no harm.
    for number, layer in enumerate((*reversed(rootfs.layers), scratch / "empty")):
        (scratch / str(number)).symlink_to(layer.resolve())
    _run_mke2fs(scratch, disk, rootfs.digest, _measure(rootfs.layers))
    if rootfs.layers:
        _describe_root(disk, rootfs.layers[-1].stat())
    disk.chmod(0o444)
    return disk


@dataclass(frozen=True)
class _Content:
    bytes: int
    inodes: int


def _measure(layers: tuple[Path, ...]) -> _Content:
    """What the layers hold together; what one hides of another is counted, too."""
    found = [status for layer in layers for status in _inodes(layer)]
    return _Content(sum(-(-status.st_size // _BLOCK) * _BLOCK for status in found), len(found))


def _inodes(layer: Path) -> Iterator[os.stat_result]:
    linked: set[int] = set()
    for directory, names, files in os.walk(layer):
        for name in (*names, *files):
            status = os.lstat(os.path.join(directory, name))
            if status.st_nlink > 1 and name in files:
                if status.st_ino in linked:
                    continue
                linked.add(status.st_ino)
            yield status


def _run_mke2fs(scratch: Path, disk: Path, digest: str, content: _Content) -> None:
    identity = str(UUID(bytes=hashlib.sha256(digest.encode()).digest()[:16], version=4))
    size = int(content.bytes * 1.2) + _FREE_BYTES
    command = [
        *(sys.executable, "-m", "isoscope.images.merged", str(scratch)),
        *(_program("mke2fs"), "-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-I", "256", "-m", "0"),
        *("-N", str(int(content.inodes * 1.2) + _FREE_INODES)),
        *("-O", _FEATURES, "-J", _JOURNAL, "-U", identity, "-L", "isoscope"),
        # The file is new, so that what has not been written is zero already.
        *("-E", f"hash_seed={identity},lazy_itable_init=0,assume_storage_prezeroed=1,nodiscard"),
        *("-d", "merged", str(disk), f"{-(-size // _MIB)}M"),
    ]
    done = _run(command)
    if done.returncode == FAILED:
        raise HostError(
            f"the image's layers cannot be stacked: {_complaint(done)}",
            hint="`isoscope doctor` says whether overlayfs works here",
        )
    if done.returncode != 0:
        raise HostError(f"cannot make a disk: mke2fs: {_complaint(done)}", hint="look at the free space on the disk")


def _describe_root(disk: Path, root: os.stat_result) -> None:
    """Give the root directory its mode, owner and time, which mke2fs does not, and take away lost+found."""
    commands = [
        "rmdir lost+found",
        f"set_inode_field / mode 0{root.st_mode:o}",
        f"set_inode_field / uid {root.st_uid}",
        f"set_inode_field / gid {root.st_gid}",
        f"set_inode_field / mtime @{max(int(root.st_mtime), 0)}",
    ]
    done = _run([_program("debugfs"), "-w", "-f", "-", str(disk)], "\n".join(commands))
    if done.returncode != 0:
        raise HostError(f"cannot make a disk: debugfs: {_complaint(done)}", hint="look at the free space on the disk")


def _run(command: list[str], commands: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MKE2FS_CONFIG": os.devnull, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command, env=environment, input=commands, capture_output=True, text=True, errors="replace", check=False
    )


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]


def _program(name: str) -> str:
    # Debian keeps it where only root's PATH leads.
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        raise HostError(f"{name} is missing: no disks can be made", hint="apt-get install e2fsprogs")
    return found
