"""Layers and layouts for the tests of images, made entry by entry, the hostile ones included."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard
from isoscope.images.extract import extract
from isoscope.images.limits import LIMITS, Limits
from isoscope.images.oci import host_architecture
from isoscope.images.store import Store
from isoscope.images.tarstream import entries

Entry = tuple[tarfile.TarInfo, bytes]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Make:
    """Entries, tar streams, and layouts of images."""

    def entry(self, path: str, kind: bytes, data: bytes = b"", **fields: Any) -> Entry:
        info = tarfile.TarInfo(path)
        info.type, info.size, info.mode, info.mtime = kind, len(data), 0o644, 1_000_000_000
        for name, value in fields.items():
            setattr(info, name, value)
        return info, data

    def file(self, path: str, data: bytes = b"data", **fields: Any) -> Entry:
        return self.entry(path, tarfile.REGTYPE, data, **fields)

    def directory(self, path: str, **fields: Any) -> Entry:
        return self.entry(path, tarfile.DIRTYPE, **{"mode": 0o755, **fields})

    def symlink(self, path: str, target: str, **fields: Any) -> Entry:
        return self.entry(path, tarfile.SYMTYPE, linkname=target, **{"mode": 0o777, **fields})

    def hardlink(self, path: str, target: str) -> Entry:
        return self.entry(path, tarfile.LNKTYPE, linkname=target)

    def whiteout(self, path: str) -> Entry:
        head, _, name = path.rpartition("/")
        return self.file(f"{head}/.wh.{name}" if head else f".wh.{name}", b"")

    def opaque(self, path: str) -> Entry:
        return self.file(f"{path}/.wh..wh..opq" if path else ".wh..wh..opq", b"")

    def tar(self, *members: Entry, dialect: int = tarfile.PAX_FORMAT) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w|", format=dialect) as archive:
            for info, data in members:
                archive.addfile(info, io.BytesIO(data))
        return stream.getvalue()

    def layout(
        self,
        directory: Path,
        *layers: bytes,
        names: Sequence[str] = ("test",),
        compression: str = "gzip",
        config: dict[str, Any] | None = None,
        architecture: str = "",
        diff_ids: Sequence[str] | None = None,
    ) -> Path:
        """Add one image of these (plain tar) layers to an OCI layout, which is made when there is none."""
        (directory / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        media_type = f"application/vnd.oci.image.layer.v1.tar{'+' + compression if compression else ''}"
        described = [self.blob(directory, self.compress(layer, compression), media_type) for layer in layers]
        document = {
            "architecture": architecture or host_architecture(),
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"], "Env": ["A=b"]} if config is None else config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids or [digest(layer) for layer in layers]},
        }
        config_blob = self.blob(directory, dump(document), "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob, "layers": described}
        entry = self.blob(directory, dump(manifest), MANIFEST)
        named = [{**entry, "annotations": {"org.opencontainers.image.ref.name": name}} for name in names] or [entry]
        self.index(directory, *self.entries(directory), *named)
        return directory

    def digest(self, data: bytes) -> str:
        return digest(data)

    def compress(self, data: bytes, how: str) -> bytes:
        if how == "gzip":
            return gzip.compress(data, mtime=0)
        return zstandard.compress(data) if how == "zstd" else data

    def blob(self, directory: Path, data: bytes, media_type: str) -> dict[str, Any]:
        (directory / "blobs" / digest(data).replace(":", "/")).write_bytes(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def entries(self, directory: Path) -> list[dict[str, Any]]:
        index = directory / "index.json"
        found: list[dict[str, Any]] = json.loads(index.read_text())["manifests"] if index.exists() else []
        return found

    def index(self, directory: Path, *manifests: dict[str, Any]) -> None:
        (directory / "index.json").write_bytes(dump({"schemaVersion": 2, "manifests": list(manifests)}))

    def archive(self, directory: Path, target: Path, mode: str = "w") -> Path:
        """The directory's files as a tar archive."""
        with tarfile.open(target, mode) as archive:  # type: ignore[call-overload]
            for path in sorted(directory.rglob("*")):
                archive.add(path, str(path.relative_to(directory)), recursive=False)
        return target


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state directory, whose images go with it; but nothing half-made may be left, and no mount."""
    directory = Path(tempfile.mkdtemp(prefix="iso-", dir="/tmp"))
    monkeypatch.setenv("ISOSCOPE_HOME", str(directory))
    yield directory
    unfinished = [str(path) for path in directory.rglob(".making-*")]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {directory}" in line]
    assert not mounts
    shutil.rmtree(directory)
    assert not unfinished


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home)


@pytest.fixture
def apply(tmp_path: Path) -> Callable[..., Path]:
    """Apply a tar stream as a layer, to a new directory, on top of others."""

    def apply(stream: bytes, *below: Path, limits: Limits = LIMITS) -> Path:
        into = tmp_path / f"layer{len(list(tmp_path.glob('layer*')))}"
        into.mkdir()
        extract(entries(io.BytesIO(stream), "layer", limits), into, "layer", below, limits)
        return into

    return apply


def snapshot(root: Path) -> dict[str, dict[str, Any]]:
    """All that one can see of a tree, but for what overlayfs keeps for itself."""
    found: dict[str, dict[str, Any]] = {}
    inodes: dict[int, list[str]] = {}
    for path in sorted(root.rglob("*")):
        status, name = path.lstat(), str(path.relative_to(root))
        xattrs = {
            x: os.getxattr(path, x, follow_symlinks=False).hex() for x in os.listxattr(path, follow_symlinks=False)
        }
        found[name] = {
            "type": stat.S_IFMT(status.st_mode),
            "mode": stat.S_IMODE(status.st_mode),
            "owner": [status.st_uid, status.st_gid],
            "mtime": status.st_mtime_ns,
            "target": os.readlink(path) if path.is_symlink() else None,
            "data": path.read_bytes().hex() if stat.S_ISREG(status.st_mode) else None,
            "xattrs": {name: value for name, value in xattrs.items() if ".overlay." not in name},
        }
        if not stat.S_ISDIR(status.st_mode):
            inodes.setdefault(status.st_ino, []).append(name)
    for names in inodes.values():
        for name in names:
            found[name]["links"] = names
    return found


@pytest.fixture
def snapshot_of() -> Callable[[Path], dict[str, dict[str, Any]]]:
    return snapshot


@pytest.fixture
def merged(tmp_path: Path) -> Callable[[Iterable[Path]], dict[str, dict[str, Any]]]:
    """What an overlay mount of the layers (lowest first) shows; the kernel has the last word."""

    def merged(layers: Iterable[Path]) -> dict[str, dict[str, Any]]:
        place = tmp_path / f"merged{len(list(tmp_path.glob('merged*')))}"
        (place / "merged").mkdir(parents=True)
        (place / "empty").mkdir()
        for number, layer in enumerate((*reversed(list(layers)), place / "empty")):
            (place / str(number)).symlink_to(layer)
        program = f"import json, pathlib, runpy; snapshot = runpy.run_path({__file__!r})['snapshot']"
        program += "; print(json.dumps(snapshot(pathlib.Path('merged'))))"
        command = [sys.executable, "-m", "isoscope.images.merged", str(place), sys.executable, "-c", program]
        seen: dict[str, dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return seen

    return merged


def tree(home: Path) -> dict[str, Any]:
    """Everything in the store, to see that it is as it was; but for lock files, and times of its own directories."""
    found = {}
    for top in ("images", "layers", "cache"):
        for path in sorted((home / top).rglob("*")):
            if path.name.endswith(".lock"):
                continue
            name = str(path.relative_to(home))
            found[name] = digest(path.read_bytes()) if stat.S_ISREG(path.lstat().st_mode) else "other"
    return found


@pytest.fixture
def contents() -> Callable[[Path], dict[str, Any]]:
    return tree
