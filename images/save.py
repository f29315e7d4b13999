"""Write images as one tar that is an OCI layout and a docker-archive at once, as Docker itself has done since 25.

The same images always give the same bytes.
"""

from __future__ import annotations

import io
import os
import secrets
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from isoscope.images.hashing import Hashed, damaged
from isoscope.images.layout import VERSION, Layout
from isoscope.images.oci import INDEX, REF_NAME, Descriptor, to_json

Image = tuple[Descriptor, Sequence[str]]


def save(layout: Layout, images: Sequence[Image], target: Path) -> None:
    """Write the images with their names. Raises ImageError when a blob is damaged; the target is then not touched.

    A target that is no regular file (a fifo) or a link (/dev/stdout) is written to directly.
    """
    with _replacing(target) as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", VERSION)
        _add(archive, "index.json", to_json(_index(images)))
        _add(archive, "manifest.json", _docker_manifest(layout, images))
        for blob in _blobs(layout, images):
            _add_blob(archive, layout, blob)


def _index(images: Sequence[Image]) -> dict[str, Any]:
    entries = []
    for entry, names in images:
        bare = entry.as_json()
        bare.pop("annotations", None)
        entries += [{**bare, "annotations": {REF_NAME: name}} for name in names] or [bare]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}


def _docker_manifest(layout: Layout, images: Sequence[Image]) -> bytes:
    """What `docker load` before 25 reads."""
    entries = []
    for entry, names in images:
        manifest = layout.manifest(entry)
        layers = [_name(layer) for layer in manifest.layers]
        entries.append({"Config": _name(manifest.config), "RepoTags": list(names), "Layers": layers})
    return b"[" + b",".join(to_json(entry) for entry in entries) + b"]"


def _blobs(layout: Layout, images: Sequence[Image]) -> Iterator[Descriptor]:
    every = [blob for entry, _ in images for blob in (entry, *layout.manifest(entry).blobs())]
    yield from dict(sorted((blob.digest, blob) for blob in every)).values()


def _name(blob: Descriptor) -> str:
    return f"blobs/{blob.digest.replace(':', '/')}"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _add_blob(archive: tarfile.TarFile, layout: Layout, blob: Descriptor) -> None:
    info = tarfile.TarInfo(_name(blob))
    info.size = blob.size
    with layout.open_blob(blob) as file:
        hashed = Hashed(file, blob.digest.partition(":")[0])
        archive.addfile(info, hashed)
    if hashed.digest != blob.digest:
        raise damaged(f"blob {blob.digest}", f"its digest is {hashed.digest}")


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes the target's place when the block ends well, and goes when it does not."""
    # Of a link, only the link would be replaced: with output that goes to a file, that is the host's /dev/stdout.
    if target.is_symlink() or (target.exists() and not stat.S_ISREG(target.stat().st_mode)):
        with target.open("wb") as file:
            yield file
        return
    partial = target.with_name(f".isoscope-{secrets.token_hex(8)}")
    # Nobody can have put a link there before, as in /tmp everybody could under a name that can be guessed.
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
        try:
            yield file
            file.flush()
            partial.rename(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
