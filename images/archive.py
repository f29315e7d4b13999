"""A root file system as a docker-archive, the tar that Docker's and podman's `load` have always taken.

Made from unpacked layers, wherever they came from: equal layers give equal bytes, and so an engine gives them the same
identity each time. What an archive holds is in Docker's image specification 1.2 ("Combined Image JSON + Filesystem
Changeset Format"), and how a layer says that something has gone in OCI's layer.md ("Whiteouts").
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from isoscope.core.rootfs import Rootfs
from isoscope.images.extract import WHITEOUT
from isoscope.images.faults import host_errors
from isoscope.images.hashing import CHUNK
from isoscope.images.lower import is_opaque, is_whiteout
from isoscope.images.oci import host_architecture, to_json

_OPAQUE = ".wh..wh..opq"
#: What an overlay keeps for itself in a layer; nothing that belongs to a file.
_OVERLAYS = ("trusted.overlay.", "user.overlay.")
#: Docker asks for one; the same layers must not become another image tomorrow.
_CREATED = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Archive:
    """An archive in a file that goes when it is closed, at its beginning."""

    file: IO[bytes]
    diff_ids: tuple[str, ...]  #: digests of the uncompressed layers, lowest first


@contextmanager
def archive(rootfs: Rootfs, name: str, labels: Mapping[str, str], scratch: Path) -> Iterator[Archive]:
    """The image under one name, with these labels; its files are nameless ones in `scratch`. Raises HostError."""
    with host_errors("cannot write an image for an engine"), tempfile.TemporaryFile(dir=scratch) as file:
        yield _write(file, rootfs, name, labels, scratch)


def _write(file: IO[bytes], rootfs: Rootfs, name: str, labels: Mapping[str, str], scratch: Path) -> Archive:
    diff_ids = []
    with tarfile.open(fileobj=file, mode="w|") as outer:
        for number, layer in enumerate(rootfs.layers):
            with tempfile.TemporaryFile(dir=scratch) as packed:
                write_layer(layer, packed)
                diff_ids.append(_digest(packed))
                _add(outer, f"{number}.tar", packed)
        config = to_json(
            {
                "architecture": host_architecture(),
                "os": "linux",
                "created": _CREATED,
                "config": {"Labels": dict(labels)},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
            }
        )
        layers = [f"{number}.tar" for number in range(len(rootfs.layers))]
        manifest = {"Config": "config.json", "RepoTags": [name], "Layers": layers}
        _add(outer, "config.json", io.BytesIO(config))
        _add(outer, "manifest.json", io.BytesIO(b"[" + to_json(manifest) + b"]"))
    file.seek(0)
    return Archive(file, tuple(diff_ids))


def _add(archive: tarfile.TarFile, name: str, data: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = data.seek(0, os.SEEK_END)
    data.seek(0)
    archive.addfile(info, data)


def _digest(file: IO[bytes]) -> str:
    hashed = hashlib.sha256()
    file.seek(0)
    while data := file.read(CHUNK):
        hashed.update(data)
    return f"sha256:{hashed.hexdigest()}"


def write_layer(layer: Path, file: IO[bytes]) -> None:
    """One unpacked layer as a tar stream: entries sorted by path, whiteouts as OCI has them. Raises OSError."""
    written: dict[tuple[int, int], str] = {}
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        for path, status in _entries(layer, ""):
            above, _, base = path.rpartition("/")
            if is_whiteout(status):
                tar.addfile(tarfile.TarInfo(f"{above}/{WHITEOUT}{base}".lstrip("/")))
                continue
            info = _header(layer, path, status, written)
            if info is None:
                continue
            if info.isreg():
                with open(layer / path, "rb") as data:
                    tar.addfile(info, data)
                continue
            tar.addfile(info)
            if info.isdir() and path and is_opaque(layer / path):
                tar.addfile(tarfile.TarInfo(f"{path}/{_OPAQUE}"))


def _entries(layer: Path, directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """The directory itself, then what is below it, depth first."""
    yield directory, os.lstat(layer / directory)
    for name in sorted(os.listdir(layer / directory)):
        path = f"{directory}/{name}" if directory else name
        status = os.lstat(layer / path)
        if stat.S_ISDIR(status.st_mode):
            yield from _entries(layer, path)
        else:
            yield path, status


def _header(
    layer: Path, path: str, status: os.stat_result, written: dict[tuple[int, int], str]
) -> tarfile.TarInfo | None:
    """The header of an entry; None for a socket, of which no tar can tell."""
    info = tarfile.TarInfo(path or ".")
    info.mode, info.uid, info.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    info.mtime = int(status.st_mtime)
    kind = _TYPES.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    info.type = kind
    if kind == tarfile.SYMTYPE:
        info.linkname = os.readlink(layer / path)
    elif kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if kind != tarfile.DIRTYPE and status.st_nlink > 1:
        inode = status.st_dev, status.st_ino
        if inode in written:
            info.type, info.linkname = tarfile.LNKTYPE, written[inode]
            return info
        written[inode] = path
    if kind == tarfile.REGTYPE:
        info.size = status.st_size
    info.pax_headers = dict(_attributes(layer / path))
    return info


_TYPES: dict[int, bytes] = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


def _attributes(path: Path) -> Iterator[tuple[str, Any]]:
    """Extended attributes as PAX records, as GNU tar and Docker write them."""
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if not name.startswith(_OVERLAYS):
            value = os.getxattr(path, name, follow_symlinks=False)
            yield f"SCHILY.xattr.{name}", value.decode("utf-8", "surrogateescape")
